"""`python -m course_build site`: everything between a fresh clone and a rendered blog, a line for each step.

The pages show the outputs that are saved in the lessons, so that a newcomer reads them at once. So that they see the
main job done on their own machine, too, one lesson is run beside the rendering, and compared with its page.
"""

import argparse
import json
import threading
from pathlib import Path

from course_build import BuildError
from course_build.lessons import index as lessons
from course_build.models import prepare
from course_build.notebooks import compare_outputs
from course_build.notebooks.execute import Lesson, freshen, run_lesson
from course_build.notebooks.fingerprint import fingerprint, saved_fingerprint
from course_build.notebooks.read_notebook import code_cells
from course_build.paths import BUILD
from course_build.progress import in_words
from course_build.site import demo, render
from course_build.site.stage import stage

SHOWN = "03"
"""The lesson that is run on the newcomer's machine: the heart of the course."""

NEEDED = ("distilbert-minilm-reviews", "bert-minilm-tweets")
"""The models of that lesson; the first one's export is the demo's, too."""

NOTE = BUILD / "run-here.json"
"""What was run on this machine, so that it is done once for each state of the lesson and of the packages."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--renderer` chooses; by default Quarto is used if it can be had. `--fresh` runs every lesson."""
    parser.add_argument("--renderer", choices=["auto", "quarto", "preview"], default="auto")
    parser.add_argument("--fresh", action="store_true", help="run every lesson, though its saved outputs are current")


def run(arguments: argparse.Namespace) -> int:
    """Prepare what lesson 3 and the demo need, run the lesson, and render the site; 1 if the lesson fails here."""
    quarto = threading.Thread(target=render.find_quarto, daemon=True)
    quarto.start()  # it waits for the network, if it waits
    prepare.prepare(NEEDED, exports=False)
    (path,) = lessons.chosen([SHOWN])
    shown = Trial(path)
    trial = None if arguments.fresh or shown.runs_anyway or shown.ran_before else shown
    if trial:
        trial.start()
    try:
        prepare.prepare(NEEDED)  # the export, which takes the other core as long as the lesson takes this one
        demo.prepare_if_possible()
        staged = stage()
        demo.add(staged)
        freshen(staged, every=arguments.fresh)
        quarto.join()
        render.render(staged, renderer=arguments.renderer)
    except BaseException:
        if trial:
            trial.stop()
        raise
    return trial.result() if trial else 0


class Trial(threading.Thread):
    """A lesson that is run on this machine, while something else goes on, and compared with its saved outputs."""

    def __init__(self, path: Path) -> None:
        """Read the lesson, with the outputs that are saved."""
        super().__init__(daemon=True)
        notebook = lessons.read(path)
        self.cells = code_cells(notebook)
        self.lesson = Lesson(path, notebook, fingerprint(notebook, path.name[:2]))
        self.failure = ""

    @property
    def runs_anyway(self) -> bool:
        """Tell whether the lesson's saved outputs aren't current, so that it is run for its page."""
        return saved_fingerprint(self.lesson.notebook) != self.lesson.made_of

    @property
    def ran_before(self) -> bool:
        """Tell whether the lesson was run here as it is now, and put out what its page shows."""
        try:
            return json.loads(NOTE.read_text(encoding="utf-8")) == self.lesson.made_of
        except (OSError, ValueError):
            return False

    def run(self) -> None:
        """Run the lesson; a failure is kept for the result."""
        try:
            run_lesson(self.lesson)
        except BuildError as error:
            self.failure = str(error)

    def stop(self) -> None:
        """End the run, for nobody waits for it any more."""
        if self.lesson.run is not None:
            self.lesson.run.interrupt()
        self.join()

    def result(self) -> int:
        """Wait for the end, and say in a line or two how it went; return 1 if the lesson failed here, else 0."""
        self.join()
        name = f"site: lesson {int(SHOWN)}"
        if self.failure:
            print(f"{name} FAILED on this machine; its page shows what it should put out. {self.failure}", flush=True)
            return 1
        ran = f"{name} was run on this machine in {in_words(sum(self.lesson.seconds))}"
        differing = self.differing()
        if differing:
            numbers = ", ".join(str(number) for number in differing)
            print(f"{ran}. These of its {len(self.cells)} cells put out something else than the page shows: {numbers}")
            print(next(iter(differing.values())), flush=True)
            return 0
        print(f"{ran}: its {len(self.cells)} cells put out what the page shows", flush=True)
        NOTE.parent.mkdir(parents=True, exist_ok=True)
        NOTE.write_text(json.dumps(self.lesson.made_of), encoding="utf-8")
        return 0

    def differing(self) -> dict[int, str]:
        """The differences from the saved outputs, by the number of the cell."""
        found = {}
        for number, (cell, fresh) in enumerate(zip(self.cells, self.lesson.outputs, strict=True), start=1):
            if told := compare_outputs.difference(cell.outputs, fresh, compare_outputs.MEASURED in cell.metadata):
                found[number] = told
        return found
