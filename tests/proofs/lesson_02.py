"""Lesson 2: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

from course_utils.quiz import quiz
from proofs import Proofs

proves = Proofs()

WRONG = {
    ("check_title_type", ("title_type",)): {
        "it looks like a text": ("title_type = 'str'", "takes what looks like a number"),
        "a year is a date": ("title_type = 'date'", "A year alone"),
        "a number with a point": ("title_type = 'float'", "decimal point"),
        "the type itself": ("title_type = int", "in quotes"),
    },
    ("check_read_front", ("read_front",)): {
        "the block as text": ("def read_front(text):\n    return text.split('---', 2)[1]", "yaml.safe_load"),
        "counts on front matter": (
            "def read_front(text):\n    return yaml.safe_load(text.split('---', 2)[1])",
            "raised IndexError",
        ),
        "any dashes will do": (
            "def read_front(text):\n    parts = text.split('---', 2)\n"
            "    return (yaml.safe_load(parts[1]) or {}) if len(parts) == 3 else {}",
            "very beginning",
        ),
        "cuts at every place": (
            "def read_front(text):\n    if not text.startswith('---'):\n        return {}\n"
            "    return yaml.safe_load('---'.join(text.split('---')[1:-1])) or {}",
            "raised",
        ),
        "an empty block is None": (
            "def read_front(text):\n    if not text.startswith('---'):\n        return {}\n"
            "    return yaml.safe_load(text.split('---', 2)[1])",
            "reads an empty block as None",
        ),
    },
    ("check_callout", ("my_callout",)): {
        "no colons": ("my_callout = '## Check your paths\\n\\nThey are yours only.'", "three colons"),
        "another kind": (
            "my_callout = '::: {.callout-tip}\\n## Check your paths\\n\\nThey are yours only.\\n:::'",
            "asks for a warning",
        ),
        "forgets the dot": (
            "my_callout = '::: {callout-warning}\\n## Check your paths\\n\\nThey are yours only.\\n:::'",
            "a dot before it",
        ),
        "never closed": (
            "my_callout = '::: {.callout-warning}\\n## Check your paths\\n\\nThey are yours only.'",
            "ends with a line",
        ),
        "no space after the signs": (
            "my_callout = '::: {.callout-warning}\\n##Check your path\\n\\nThey are yours only.\\n:::'",
            "heading comes first",
        ),
        "heading alone": ("my_callout = '::: {.callout-warning}\\n## Check your paths\\n:::'", "sentence of your own"),
    },
}


@proves("colon", "`title: BERT: a tour`")
def only_the_bare_colon_is_an_error():

    (asked,) = [q for q in quiz("02").questions if q.id == "colon"]
    for choice in asked.choices:
        line = choice.text.strip("`")
        if choice.right:
            with pytest.raises(yaml.YAMLError):
                yaml.safe_load(line)
        else:
            assert yaml.safe_load(line)["title"].startswith("BERT")


def render_cell(tmp_path, source: str, output: str) -> BeautifulSoup:
    """Render a project of one notebook, with one cell and one saved output, as the course's pages are rendered."""

    from course_build.preview import smalldocs_site

    project = tmp_path / "project"
    project.mkdir()
    (project / "_quarto.yml").write_text("project:\n  type: website\nwebsite:\n  title: One\n", encoding="utf-8")
    (project / "index.qmd").write_text("---\ntitle: Home\n---\n\nText.\n", encoding="utf-8")
    cell = nbformat.v4.new_code_cell(source, outputs=[nbformat.v4.new_output("stream", name="stdout", text=output)])
    cells = [nbformat.v4.new_raw_cell("---\ntitle: Page\n---"), cell]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), project / "page.ipynb")
    smalldocs_site.render(project, tmp_path / "site")
    return BeautifulSoup((tmp_path / "site" / "page.html").read_text(encoding="utf-8"), "html.parser")


@proves("echo", "The output and not the code")
def echo_hides_the_code_alone(tmp_path):
    page = render_cell(tmp_path, "#| echo: false\nprint('from the code'[:4])", "seen\n")
    assert "seen" in page.text
    assert "print(" not in page.text


@proves("saved", "new code", "old output")
def rendering_shows_what_was_saved(tmp_path):
    page = render_cell(tmp_path, "print(2 + 2)", "3\n")
    assert "2 + 2" in page.text.replace("\xa0", " ")
    assert page.select_one(".cell-output").text.strip() == "3"


@proves("listing", "Nothing")
def a_new_post_is_listed_without_a_change_elsewhere(tmp_path):
    from course_build.site import learners_blog

    learners_blog.scaffold(tmp_path / "blog")
    fresh = tmp_path / "blog" / "posts" / "one-more"
    fresh.mkdir()
    (fresh / "index.qmd").write_text('---\ntitle: "One more post"\ndate: 2026-03-01\n---\n\nText.\n', encoding="utf-8")
    learners_blog.render_blog(tmp_path / "blog")
    assert "One more post" in (tmp_path / "blog" / "_site" / "index.html").read_text(encoding="utf-8")


@proves("road", "publish.yml")
def the_workflow_publishes_on_a_push(tmp_path):

    from course_build.site import learners_blog

    learners_blog.scaffold(tmp_path / "blog")
    workflow = yaml.safe_load((tmp_path / "blog" / ".github" / "workflows" / "publish.yml").read_text(encoding="utf-8"))
    assert "push" in workflow[True]  # YAML 1.1 reads the key `on` as true
    assert "_site" in (tmp_path / "blog" / ".gitignore").read_text(encoding="utf-8")


EQUIVALENT: dict[str, dict[str, str]] = {
    "title": {
        "line 1: 'int' becomes 'INT'": "the name of a type is taken in any case",
    },
    "read_front": {
        "line 5: 2 becomes 3": "the block is what stands between the first two, however often the rest is cut",
        "line 5: 2 becomes 20": "the block is what stands between the first two, however often the rest is cut",
        "line 5: 2 becomes -2": "the block is what stands between the first two, however often the rest is cut",
        "line 5: text.split('---', 2) becomes text.split('---')": "the block is what stands between the first two, however often the rest is cut",
    },
    "callout": {
        "line 1: row 0 of the text, '', is dropped": "Markdown shows the same without that empty row",
        "line 1: row 2 of the text, '## Check your paths', becomes '# Check your paths'": "a heading of any level is the callout's title",
        "line 1: row 3 of the text, '', is dropped": "Markdown shows the same without that empty row",
        "line 1: row 4 of the text, 'A path that begins with your home folder works on your machine only.', becomes 'A path that begins with your home folder works on your machine only'": "a sentence of one's own may do without a full stop",
        "line 1: row 6 of the text, '', is dropped": "Markdown shows the same without that empty row",
    },
}

HOLES = {
    "read_front": [
        "line 3: text = text.strip() comes first",
        "line 3: text = text[:-1] comes first",
        "line 3: text.startswith('---') becomes text.startswith('--')",
    ],
}
