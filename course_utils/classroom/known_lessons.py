"""The facts that `make lab` wrote down of the lessons, for a kernel that no front end tells for certain whose it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from course_utils.classroom import learners_folder
from course_utils.classroom.learners_folder import Figure, Lesson


class KnownLessons:
    """The lessons of a learner's folder. A cell's facts are found by its code alone, in whichever lesson it stands.

    Args:
        folder: the learner's folder.
        names: the names that the kernel's user has, among which VS Code says which notebook this is.
    """

    def __init__(self, folder: Path, names: Mapping[str, Any]) -> None:
        """Read what is known."""
        self.folder = folder
        self._lessons = learners_folder.lessons(folder)
        file = names.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME") or ""
        self._own = self._lessons.get(Path(str(file)).name[:2])

    def figure(self, source: str) -> Figure | None:
        """Return caption and text alternative of the figure that a cell draws; None where the cell isn't a lesson's."""
        key = learners_folder.code_key(source)
        return next((lesson["figures"][key] for lesson in self._likeliest_first() if key in lesson["figures"]), None)

    def seconds(self, source: str) -> int | None:
        """Return about how long a cell runs; None where it is short, or isn't a lesson's."""
        key = learners_folder.code_key(source)
        return next((lesson["seconds"][key] for lesson in self._likeliest_first() if key in lesson["seconds"]), None)

    def sections(self, name: str) -> set[str]:
        """Return the headings of the sections in which a name is made: those of other lessons, if this one has none."""
        if self._own is not None and name in self._own["names"]:
            return {self._own["names"][name]}
        return {lesson["names"][name] for lesson in self._lessons.values() if name in lesson["names"]}

    def _likeliest_first(self) -> Iterator[Lesson]:
        if self._own is not None:
            yield self._own
        yield from self._lessons.values()
