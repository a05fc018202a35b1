"""The glossary as a file beside the learner's copies: links from a lesson open it at their term, rendered.

`<a id="logits"></a>` before each heading is an anchor that every program takes; what each makes of the heading itself,
JupyterLab `#Logits` and VS Code `#logits`, differs.
"""

import html
import re
from pathlib import Path

from course_build.classroom.commonmark import to_commonmark
from course_build.front_matter import split_front_matter
from course_build.lessons import lesson_files
from course_build.paths import ROOT
from course_build.text_files import read_text
from course_utils.classroom.front_door import START

NAME = "glossary.md"
TERM = re.compile(r"^## (?P<term>.+?)\n\n(?P<text>.*?)(?=^## |^:::|\Z)", re.MULTILINE | re.DOTALL)


def terms(source: Path = ROOT / lesson_files.GLOSSARY) -> dict[str, tuple[str, str]]:
    """Return each term of the glossary with its text, by its anchor."""
    found = TERM.finditer(read_text(source))
    return {lesson_files.anchor(each["term"]): (each["term"].strip(), each["text"].strip()) for each in found}


def meanings(source: Path = ROOT / lesson_files.GLOSSARY) -> dict[str, str]:
    """Return what each term means in its first sentence, without markup, as the title of a link shows it on hover."""
    return {anchor: _plain(text) for anchor, (_, text) in terms(source).items()}


def _plain(text: str) -> str:
    text = re.sub(r"\[([^\[\]]*)\]\([^()]*\)", r"\1", " ".join(text.split()))
    text = re.sub(r"[`*]", "", text)
    sentence = re.match(r".+?[.!?](?= [A-Z]|$)", text)
    return html.escape(sentence[0] if sentence else text, quote=False).replace('"', "&quot;")


def page(source: Path = ROOT / lesson_files.GLOSSARY) -> str:
    """Return the glossary as Markdown for any program, with an anchor for each term and the way back at its top."""
    front, _ = split_front_matter(read_text(source).partition("\n---\n")[0] + "\n---\n", lesson_files.GLOSSARY)
    entries = [
        f'<a id="{anchor}"></a>\n\n## {term}\n\n{to_commonmark(text, lambda address: address)}'
        for anchor, (term, text) in terms(source).items()
    ]
    subtitle = front.value["subtitle"] if front.value else ""
    return "\n\n".join([f"[All lessons]({START})", "# Glossary", f"*{subtitle}*", *entries]) + "\n"
