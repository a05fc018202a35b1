"""The learner's copies, in `my_lessons/`: made of the lessons, and from then on the learner's.

Beside each copy the course keeps what it gave (`.course/given/`). So it knows what a learner changed, and what the
course changed since:

* a copy that is as it was given is renewed when its lesson changes;
* one that a learner worked in is never written to. The changed lesson is put beside it, with what changed at its top;
* a fresh start gives the learner's file another name, whatever is in it. It stays beside the fresh one, for its links
  and pictures lead from there.

Each file is written under another name first, and then takes its place, so that an interruption leaves whole files.
"""

import datetime
import difflib
import json
from dataclasses import dataclass, field
from pathlib import Path

import filelock
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from course_build import BuildError
from course_build.classroom import glossary_page
from course_build.classroom.commonmark import folded
from course_build.classroom.learners_notebook import Course, facts, learners_notebook
from course_build.lessons import index as lessons
from course_build.paths import NOTEBOOKS
from course_build.site import stage
from course_utils.classroom import front_door
from course_utils.classroom.learners_folder import KEPT, LESSONS

GIVEN = Path(KEPT, "given")
"""The folder in which each file lies as the learner got it, relative to the learner's folder."""

MOVED = "_kept"
"""The end, before the time, of a file's name that had to make room."""

CHANGED = "_changed"
"""The end of a file's name that holds a newer version of the one beside it."""


@dataclass
class News:
    """The changes that a start made in the learner's folder, by what happened to the files."""

    made: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    offered: dict[str, str] = field(default_factory=dict)
    """The file that is offered beside each copy that stayed as it is."""
    kept: dict[str, str] = field(default_factory=dict)
    """The new name of each file of the learner's that had to make room."""
    broken: list[str] = field(default_factory=list)
    """Copies that are no notebooks any more."""

    def __str__(self) -> str:
        """Say it in a line for each kind."""
        lines = []
        if self.made:
            lines.append(f"made {', '.join(self.made)}" if len(self.made) <= 3 else f"made {len(self.made)} files")
        if self.renewed:
            lines.append(f"renewed what you hadn't changed: {', '.join(self.renewed)}")
        lines += [
            f"{name} is as you left it. The course has changed it: see {new}" for name, new in self.offered.items()
        ]
        lines += [f"your {name} is kept as {new}" for name, new in self.kept.items()]
        for name in self.broken:
            lines.append(
                f"{name} can't be read as a notebook any more. `make lab RESET={name[:2]}` gives you a fresh one, and"
                " keeps this file"
            )
        return "\n".join(lines)


def bring_up_to_date(folder: Path, fresh: list[str], source: Path = NOTEBOOKS) -> News:
    """Make the copies that are missing, renew those that are unchanged, and offer what is new beside the others.

    Args:
        folder: the learner's folder, which is made where there is none.
        fresh: the lessons that the learner wants anew, such as `03`. Their copies get another name.
        source: the folder of the lessons.

    Raises:
        BuildError: a name fits no lesson, a lesson can't be read, or the folder can't be written.
    """
    wanted = {path.name for path in lessons.chosen(fresh, source)} if fresh else set()
    course = {path: lessons.read(path) for path in lessons.paths(source)}
    news = News()
    try:
        (folder / GIVEN).mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / KEPT / "lock"):
            _clear_away(folder)
            for name, content in _contents(course, source).items():
                _bring(folder, name, content, name in wanted, news)
            known = {path.name[:2]: facts(path, each, news.offered.get(path.name)) for path, each in course.items()}
            _write(folder / LESSONS, json.dumps(known, ensure_ascii=False, indent=1).encode())
            _front_door(folder, news)
    except OSError as error:
        raise BuildError(
            f"{error.filename or folder} can't be written ({error.strerror or error}). The lessons that you work in lie"
            f" in {folder}: it has to be a folder that you may write to. Nothing in it was lost."
        ) from error
    return news


def _contents(course: Course, source: Path) -> dict[str, bytes]:
    """Return each file that a learner gets, by its name relative to their folder: lessons, glossary, what they use."""
    contents = {path.name: _bytes(learners_notebook(path, course)) for path in course}
    contents[glossary_page.NAME] = glossary_page.page().encode()
    for path in stage.beside_the_lessons(source):
        name = path.relative_to(source).as_posix()
        if not name.startswith("images/cards/"):  # what links on other sites show
            contents[name] = path.read_bytes()
    return contents


def _bytes(notebook: NotebookNode) -> bytes:
    return (nbformat.writes(notebook) + "\n").encode()


def _bring(folder: Path, name: str, new: bytes, wanted: bool, news: News) -> None:
    """Bring one file up to date."""
    mine, given = folder / name, folder / GIVEN / name
    there = mine.read_bytes() if mine.exists() else None
    if wanted and there is not None:
        for path in _offers(folder, name):
            if path.read_bytes() != _given(folder, path.name):
                news.kept[path.name] = _move(folder, path)
        if there != _given(folder, name):
            news.kept[name] = _move(folder, mine)
        there = None
    before = _given(folder, name)
    if there is None:
        _write(mine, new)
        news.made.append(name)
    elif there == before != new:
        _write(mine, new)
        if _differ(before, new, name):
            news.renewed.append(name)
    elif there != new and name.endswith(".ipynb") and not _is_notebook(there):
        news.broken.append(name)
        return
    elif there != new and _differ(before or there, new, name):
        news.offered[name] = _offer(folder, name, before, new)
        return
    # After the copy: where an interruption comes between the two, the copy is the new one, and is known as such.
    if before != new:
        _write(given, new)
    for path in _offers(folder, name):
        if path.read_bytes() == _given(folder, path.name):
            path.unlink()


def _given(folder: Path, name: str) -> bytes | None:
    """Return a file as the learner got it."""
    path = folder / GIVEN / name
    return path.read_bytes() if path.is_file() else None


def _differ(before: bytes | None, new: bytes, name: str) -> bool:
    """Tell whether two versions of a file differ for a reader; of a notebook, what its cells hold counts."""
    if before is None or not name.endswith(".ipynb"):
        return before != new
    try:
        return bool(_changes(_cells(before), _cells(new)))
    except (ValueError, AttributeError, KeyError):  # what a learner left is no notebook
        return True


def _is_notebook(content: bytes) -> bool:
    """Tell whether a file can be opened as a notebook."""
    try:
        nbformat.reads(content.decode(), as_version=4)
    except Exception:  # nbformat raises what it stumbles over
        return False
    return True


def _offers(folder: Path, name: str) -> list[Path]:
    """Return the newer versions that lie beside a copy, whether the learner worked in them or not."""
    path = Path(name)
    return sorted((folder / path.parent).glob(f"{path.stem}{CHANGED}*{path.suffix}"))


def _offer(folder: Path, name: str, before: bytes | None, new: bytes) -> str:
    """Put a newer version beside a copy, and return its name. An older offer that was worked in stays beside it."""
    path = Path(name)
    content = _with_changes(before, new) if name.endswith(".ipynb") else new
    number = 1
    while True:
        end = CHANGED if number == 1 else f"{CHANGED}_{number}"
        offer = path.with_name(f"{path.stem}{end}{path.suffix}").as_posix()
        there = (folder / offer).read_bytes() if (folder / offer).exists() else None
        given = _given(folder, offer)
        if there is None or there in (given, content):
            if there != content:
                _write(folder / offer, content)
            _write(folder / GIVEN / offer, content)
            return offer
        if given == content:  # the learner works in this very version
            return offer
        number += 1


# -------------------------------------------------------------------------------------------------------- what changed


def _cells(content: bytes) -> list[NotebookNode]:
    return nbformat.reads(content.decode(), as_version=4).cells


def _changes(before: list[NotebookNode], new: list[NotebookNode]) -> list[tuple[str, str, str]]:
    """Return each cell that differs, in the order of the new lesson: its section, what happened, and its lines."""
    old = {cell.id: cell for cell in before}
    found = []
    section = "The beginning"
    for cell in new:
        was = old.pop(cell.id, None)
        kind = "code" if cell.cell_type == "code" else "text"
        before_lines, lines = was.source.splitlines() if was else [], cell.source.splitlines()
        # A cell of text may have several headings. The change belongs to the last one before it.
        same = next(
            (at for at, (a, b) in enumerate(zip(before_lines, lines, strict=False)) if a != b), len(before_lines)
        )
        headings = [line.lstrip("# ") for line in lines[: same + 1] if line.startswith("#") and kind == "text"]
        section = headings[-1] if headings else section
        if was is None:
            found.append((section, f"new {kind}", _lines([], lines)))
        elif (was.cell_type, was.source) != (cell.cell_type, cell.source):
            found.append((section, f"other {kind}", _lines(before_lines, lines)))
        headings = [line.lstrip("# ") for line in lines if line.startswith("#") and kind == "text"]
        section = headings[-1] if headings else section
    for cell in old.values():
        found.append(
            ("No longer there", "code" if cell.cell_type == "code" else "text", _lines(cell.source.splitlines(), []))
        )
    if not found and [cell.id for cell in before] != [cell.id for cell in new]:
        found.append(("The order of the cells", "changed", ""))
    return found


def _lines(before: list[str], new: list[str]) -> str:
    return "\n".join(list(difflib.unified_diff(before, new, lineterm="", n=1))[2:])


def _with_changes(before: bytes | None, new: bytes) -> bytes:
    """Return a lesson with a cell at its top that says what changed since the learner's copy was given."""
    notebook = nbformat.reads(new.decode(), as_version=4)
    said = "> **This lesson has changed since you got yours.** Your copy is as you left it. This is the new version;"
    number = notebook.cells[0].id[:2]
    said += f" `make lab RESET={number}` puts it in your copy's place, and keeps yours."
    if before is None:
        said += "\n>\n> What exactly is new can't be said, for nothing is left of the version that you got."
    else:
        changes = _changes(_cells(before), notebook.cells)
        sections: dict[str, list[str]] = {}
        for section, what, _ in changes:
            sections.setdefault(section, []).append(what)
        for section, kinds in sections.items():
            said += f"\n>\n> - *{section}*: {', '.join(dict.fromkeys(kinds))}"
        lines = "\n\n".join(f"*{section}*, {what}:\n\n````diff\n{diff}\n````" for section, what, diff in changes)
        said += "\n\n" + folded("Each change, line by line", lines)
    notebook.cells.insert(0, new_markdown_cell(said, id=f"{number}-changed"))
    return _bytes(notebook)


# ---------------------------------------------------------------------------------------------------------- on the disk


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step, in a folder that is made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.replace(path)


def _clear_away(folder: Path) -> None:
    """Delete what an interrupted start left half written."""
    for path in folder.glob("**/.*.new"):
        path.unlink(missing_ok=True)


def _move(folder: Path, path: Path) -> str:
    """Give a file of the learner's another name, one that is free; return it."""
    now = f"{datetime.datetime.now():%Y-%m-%d_%H%M%S}"
    number = 1
    while True:
        end = now if number == 1 else f"{now}_{number}"
        target = path.with_name(f"{path.stem}{MOVED}_{end}{path.suffix}")
        if not target.exists():
            break
        number += 1
    path.replace(target)
    return target.relative_to(folder).as_posix()


def _front_door(folder: Path, news: News) -> None:
    """Write the page that JupyterLab opens; one that a learner changed is kept."""
    place = folder / front_door.START
    if place.exists() and not front_door.is_sealed(place.read_text(encoding="utf-8", errors="replace")):
        news.kept[front_door.START] = _move(folder, place)
    front_door.write(folder)
