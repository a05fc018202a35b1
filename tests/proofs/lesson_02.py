"""Lesson 2: the wrong answers that people give to its exercises, and a proof of each key of its quiz."""

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

from course_utils.quiz import quiz
from proofs import Proofs

proves = Proofs()

LUCKY = {"check_title_type": ["int", "integer"]}


def front(body: str) -> str:
    return f"def read_front(text):\n    {body}"


def callout(*lines: str, last: str = ":::") -> str:
    return f"my_callout = {chr(10).join([*lines, last])!r}"


WARNING, HEADING, SENTENCE = "::: {.callout-warning}", "## Check your paths", "They are yours only."
LINES = "lines = [line.rstrip() for line in text.split('\\n')]\n    "

WRONG = {
    ("check_title_type", ("title_type",)): {
        "it looks like a text": ("title_type = 'str'", "takes what looks like a number"),
        "a text by another name": ("title_type = 'string'", "takes what looks like a number"),
        "a year is a date": ("title_type = 'date'", "A year alone"),
        "a number with a point": ("title_type = 'float'", "decimal point"),
        "a number": ("title_type = 'number'", "more than one type"),
        "the whole": ("title_type = 'dict'", "as a whole"),
        "another": ("title_type = 'bool'", "'bool' is not the type"),
        "the type itself": ("title_type = int", "in quotes"),
        "the title": ("title_type = 2026", "should be a text"),
    },
    ("check_read_front", ("read_front",)): {
        "the block as text": (front("return text.split('---', 2)[1]"), "the block as text"),
        "counts on front matter": (front("return yaml.safe_load(text.split('---', 2)[1])"), "raised IndexError"),
        "any dashes will do": (
            front(
                "parts = text.split('---', 2)\n    return (yaml.safe_load(parts[1]) or {}) if len(parts) == 3 else {}"
            ),
            "at the very beginning, or nowhere",
        ),
        "cuts at every place": (
            front(
                "if not text.startswith('---'):\n        return {}\n"
                "    return yaml.safe_load('---'.join(text.split('---')[1:-1])) or {}"
            ),
            "raised ComposerError",
        ),
        "an empty block is None": (
            front(
                "if not text.startswith('---'):\n        return {}\n    return yaml.safe_load(text.split('---', 2)[1])"
            ),
            "reads an empty block as None",
        ),
        "cuts in the middle of a line": (
            front(
                "if not text.startswith('---'):\n        return {}\n"
                "    return yaml.safe_load(text.split('---', 2)[1]) or {}"
            ),
            "in the middle of a line end nothing",
        ),
        "begins like a line of dashes": (
            front(
                f"{LINES}if lines[0][:3] != '---':\n        return {{}}\n    lines[0] = '---'\n"
                "    ends = [n for n, line in enumerate(lines) if line[:3] == '---']\n"
                "    return yaml.safe_load('\\n'.join(lines[1:ends[1]])) or {}"
            ),
            "Four dashes are no front matter",
        ),
        "ends like a line of dashes": (
            front(
                "if not text.startswith('---\\n'):\n        return {}\n"
                "    block, end, _ = text[3:].partition('\\n---')\n"
                "    return (yaml.safe_load(block) or {}) if end else {}"
            ),
            "Four dashes close no block",
        ),
        "needs an end": (
            front(
                f"{LINES}if lines[0] != '---':\n        return {{}}\n"
                "    return yaml.safe_load('\\n'.join(lines[1:lines.index('---', 1)])) or {}"
            ),
            "is not in list",
        ),
        "reads to the end without one": (
            front(
                f"{LINES}if lines[0] != '---':\n        return {{}}\n"
                "    return yaml.safe_load('\\n'.join(['', *lines[1:]]).split('\\n---', 1)[0]) or {}"
            ),
            "No second line of dashes",
        ),
        "needs a line after it": (
            front(
                "import re\n    found = re.match(r'---\\n(.*?)^---\\n', text, re.DOTALL | re.MULTILINE)\n"
                "    return (yaml.safe_load(found[1]) or {}) if found else {}"
            ),
            "may be the last of the file",
        ),
        "reads by hand": (
            front(
                f"{LINES}if lines[0] != '---' or '---' not in lines[1:]:\n        return {{}}\n"
                "    found = [line.split(': ', 1) for line in lines[1:lines.index('---', 1)]]\n"
                "    return {key: yaml.safe_load(value) for key, value in found}"
            ),
            "raised ValueError: not enough values",
        ),
        "prints": (front("print(yaml.safe_load(text.split('---', 2)[1]))"), "returned None for a file"),
    },
    ("check_callout", ("my_callout",)): {
        "no colons": (callout(HEADING, "", SENTENCE), "begins with three colons, the very first"),
        "two colons": (
            callout("::" + WARNING[3:], HEADING, SENTENCE, last="::"),
            "begins with three colons, the very first",
        ),
        "GitHub's": (callout("> [!WARNING]", "> Check your paths", last="> Yours."), "how GitHub writes it"),
        "another kind": (callout("::: {.callout-tip}", HEADING, SENTENCE), "has the class callout-tip"),
        "no callout": (callout("::: {.warning}", HEADING, SENTENCE), "has the class warning"),
        "a bare name with a dot": (callout("::: .callout-warning", HEADING, SENTENCE), "the class .callout-warning"),
        "forgets the dot": (callout("::: {callout-warning}", HEADING, SENTENCE), "a dot before it"),
        "a comma": (callout('::: {.callout-warning, collapse="true"}', HEADING, SENTENCE), "No commas"),
        "spaces around the sign": (callout("::: {.callout-warning icon = false}", HEADING, SENTENCE), "equals sign"),
        "a title without quotes": (callout("::: {.callout-warning title=Check your paths}", SENTENCE), "needs quotes"),
        "words after the braces": (callout(f"{WARNING} Careful!", HEADING, SENTENCE), "then the kind in braces"),
        "no kind": (callout(":::", HEADING, SENTENCE), "then the kind in braces"),
        "never closed": (callout(WARNING, HEADING, "", last=SENTENCE), "Nothing closes the callout"),
        "closed behind the sentence": (callout(WARNING, HEADING, last=f"{SENTENCE} :::"), "Nothing closes the callout"),
        "closed too early": (callout(WARNING, HEADING, ":::", SENTENCE), "ends before 'They are yours only.'"),
        "goes on": (callout(WARNING, HEADING, SENTENCE, ":::", "", last="More."), "ends before 'More.'"),
        "in a function, with its spaces": (
            callout(f"    {WARNING}", f"    {HEADING}", f"    {SENTENCE}", last="    :::"),
            "at the very left",
        ),
        "no space after the signs": (callout(WARNING, "##Check your paths", SENTENCE), "heading comes first"),
        "no heading": (callout(WARNING, SENTENCE, "More of it."), "heading comes first"),
        "another heading": (callout(WARNING, "## Check your path", SENTENCE), "Yours is 'Check your path'"),
        "another title": (callout('::: {.callout-warning title="Paths"}', SENTENCE), "Yours is 'Paths'"),
        "heading alone": (callout(WARNING, HEADING), "sentence of your own"),
        "heading twice": (callout(WARNING, HEADING, "### Check them twice"), "sentence of your own"),
        "dots": (callout(WARNING, HEADING, "..."), "sentence of your own"),
        "a list of lines": (f"my_callout = {[WARNING, HEADING, SENTENCE, ':::']}", "It is a list of 4"),
    },
}

RIGHT = {
    ("check_title_type", ("title_type",)): {
        "as the docs call it": "title_type = ' Integer '",
        "by its name": "title_type = type(yaml.safe_load('title: 2026')['title']).__name__",
    },
    ("check_read_front", ("read_front",)): {
        "by cutting at a line of dashes": front(
            "if not text.startswith('---\\n'):\n        return {}\n"
            "    block, end, _ = (text[3:] + '\\n').partition('\\n---\\n')\n"
            "    return (yaml.safe_load(block) or {}) if end else {}"
        ),
        "by a regular expression": front(
            "import re\n    found = re.match(r'---\\n(.*?)^---$', text, re.DOTALL | re.MULTILINE)\n"
            "    return (yaml.safe_load(found[1]) or {}) if found else {}"
        ),
        "line by line, into a dict of another class": front(
            "import collections\n    lines = text.splitlines()\n"
            "    if lines[:1] != ['---'] or '---' not in lines[1:]:\n        return collections.OrderedDict()\n"
            "    block = '\\n'.join(lines[1:lines.index('---', 1)])\n"
            "    return collections.OrderedDict(yaml.safe_load(block) or {})"
        ),
    },
    ("check_callout", ("my_callout",)): {
        "a title instead of a heading": callout('::: {.callout-warning title="Check your paths"}', SENTENCE),
        "a title in other quotes": callout("::: {#one title='Check your paths' .callout-warning}", SENTENCE),
        "closed until it is opened": callout('::: {.callout-warning collapse="true"}', "", HEADING, "", SENTENCE, ""),
        "a name without braces": callout("::: callout-warning", HEADING, SENTENCE),
        "the class as an attribute": callout('::: {class="callout-warning"}', HEADING, SENTENCE),
        "more colons": callout(":::::{ .callout-warning } ::::", HEADING, SENTENCE, last="::::\n"),
        "an underlined heading": callout(WARNING, "Check your paths", "---", SENTENCE),
        "another level": callout(WARNING, "#### Check your paths ####", SENTENCE),
        "two words": callout(WARNING, HEADING, "Look twice"),
        "one word": callout(WARNING, HEADING, "Careful!"),
        "in Chinese": callout(WARNING, HEADING, "请检查路径。"),
        "a list, and a box in the box": callout(
            WARNING, HEADING, "- Look twice.", ":::: {.callout-note}", "A.", "::::"
        ),
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


@proves("listing", "front matter of the new post")
def a_listing_has_the_title_of_the_posts_front_matter(tmp_path):
    from course_build.site import learners_blog

    learners_blog.scaffold(tmp_path / "blog")
    fresh = tmp_path / "blog" / "posts" / "one-more"
    fresh.mkdir()
    (fresh / "index.qmd").write_text('---\ntitle: "Its own title"\ndate: 2026-03-01\n---\n\nText.\n', encoding="utf-8")
    learners_blog.render_blog(tmp_path / "blog")
    page = BeautifulSoup((tmp_path / "blog" / "_site" / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert "Its own title" in [title.get_text(strip=True) for title in page.select(".listing-title")]
    assert "Its own title" not in (tmp_path / "blog" / "index.qmd").read_text(encoding="utf-8")


@proves("road", "publish.yml")
def the_workflow_publishes_on_a_push_to_main(tmp_path):

    from course_build.site import learners_blog

    learners_blog.scaffold(tmp_path / "blog")
    workflow = yaml.safe_load((tmp_path / "blog" / ".github" / "workflows" / "publish.yml").read_text(encoding="utf-8"))
    assert workflow[True]["push"] == {"branches": ["main"]}  # YAML 1.1 reads the key `on` as true
    assert "_site" in (tmp_path / "blog" / ".gitignore").read_text(encoding="utf-8")


EQUIVALENT: dict[str, dict[str, str]] = {
    "title": {
        "line 1: 'int' becomes 'INT'": "the name of a type is taken in any case",
    },
    "read_front": {
        "line 3: line.rstrip() becomes line": "the task says nothing of spaces that nobody sees",
        "line 3: text.split becomes text.rsplit": "without a limit both cut everywhere",
        "line 4: lines[1:] becomes lines[2:]": "a block that ends in the second line has nothing in it",
        "line 4: lines[1:] becomes lines[1 + 1:]": "a block that ends in the second line has nothing in it",
        "line 7: 1:end becomes 0:end": "to YAML three dashes begin a document",
        "line 7: 1:end becomes 1 - 1:end": "to YAML three dashes begin a document",
        "line 7: 1:end becomes :end": "to YAML three dashes begin a document",
        "line 8: isinstance(front, dict) becomes front": "the task says nothing of a block without keys",
    },
    "callout": {
        "line 1: row 0 of the text, '', is dropped": "Markdown shows the same without that empty row",
        "line 1: row 2 of the text, '## Check your paths', becomes '# Check your paths'": "a heading of any level is the callout's title",
        "line 1: row 3 of the text, '', is dropped": "Markdown shows the same without that empty row",
        "line 1: row 4 of the text, 'A path that begins with your home folder works on your machine only.', becomes 'A path that begins with your home folder works on your machine only'": "a sentence of one's own may do without a full stop",
        "line 1: row 6 of the text, '', is dropped": "Markdown shows the same without that empty row",
    },
}
