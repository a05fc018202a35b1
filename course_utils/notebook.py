"""A notebook's manners: calm libraries, repeatable numbers, and `?` answered in the page."""

import html
import logging
import os
import re
import warnings

from course_utils.classroom import kernel
from course_utils.models import models_folder

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[@-Z\\^_=>78])")
"""What a terminal takes as an order and doesn't print: colours, moves of the cursor, links (ECMA-48)."""


CHATTER = re.compile(r"Device set to use ")
"""How a message of transformers begins that says nothing about the model or the text: version 4 says for each pipeline
on which device it runs, which is another on another machine."""


def prepare(seed: int = 0) -> None:
    """Make this notebook calm and repeatable; call it once, before the first model is loaded.

    What it does:

    * It turns off progress bars, the Hub's telemetry, and tokenizers' own threads, which warn when a process forks.
    * It keeps the libraries' warnings: a head that is newly initialized, a text that is too long for a model, a task's
      default model. Each is shown once in a notebook, without this machine's folders.
    * It seeds the random numbers of Python, NumPy and torch, so that you get the numbers that the text speaks of.
    * It shows what `?` and `??` say below the cell. (In JupyterLab they open a pager, which a saved notebook lacks.)
    * In a learner's folder, which `make lab` makes, the kernel then shows more: figures with their captions, errors
      with advice, and that a long cell runs.

    Args:
        seed: where the random numbers start; the same seed gives the same numbers.

    Raises:
        ValueError: the seed is not a whole number from 0 to 2**32 - 1.
    """
    kernel.set_up()  # first: it has a word on packages that the next step misses
    quiet()
    answer_in_page()
    seed_everything(seed)


def quiet() -> None:
    """Turn off the Hugging Face libraries' progress bars and telemetry, and let them say each warning once, plainly.

    With `COURSE_WARNINGS=show` in the environment the warnings come as the libraries write them, each time, for the
    maintainer who tries an upgrade.
    """
    os.environ.update(HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    shown = os.environ.get("COURSE_WARNINGS") == "show"
    for handler in transformers_logging.get_logger().handlers:
        for before in [each for each in handler.filters if isinstance(each, OncePlainly)]:
            handler.removeFilter(before)
        if not shown:
            handler.addFilter(OncePlainly())
    if not shown:
        # peft reads an attribute of transformers by its former name: no cell can help it.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


class OncePlainly(logging.Filter):
    """Lets each of transformers' messages through once, in a form that is the same on every machine."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        super().__init__()
        self.said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a message is new and more than chatter, and make it plain."""
        text = plainly(record.getMessage())
        if text in self.said or CHATTER.match(text):
            return False
        self.said.add(text)
        record.msg, record.args = text, ()
        return True


def plainly(message: str) -> str:
    """Return a message of transformers without colours and the models' folder, the rows of a load report in order.

    The library lists the weights of a report in an order that changes from run to run, and gives a wide terminal's
    table one more heading.
    """
    text = ANSI.sub("", message).replace(f"{models_folder()}{os.sep}", "")
    report, has_notes, notes = text.partition("\n\nNotes:")
    first, *lines = report.split("\n")
    if not has_notes or not all("|" in line or "-+-" in line for line in lines):
        return text
    # Below the headings and the rule: a weight, what became of it, and now and then a detail.
    rows = sorted([cell.strip() for cell in line.split("|") if cell.strip()] for line in lines[2:])
    width = max(len(row[0]) for row in rows)
    return "\n".join([first, *(" | ".join([row[0].ljust(width), *row[1:]]) for row in rows)]) + notes.replace("\t", " ")


def seed_everything(seed: int) -> None:
    """Seed every generator of random numbers that the course uses.

    Raises:
        ValueError: the seed is not a whole number from 0 to 2**32 - 1 (NumPy's limit).
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ValueError(f"a seed is a whole number from 0 to 4294967295, not {seed!r}")
    from transformers import set_seed

    set_seed(seed)


def answer_in_page() -> None:
    """Let `name?` and `name??` print below the cell. Outside a notebook this does nothing."""
    from IPython import get_ipython
    from IPython.core import page

    if get_ipython() is not None:
        page.page = _print_page


def _print_page(data: object, *_arguments: object, **_options: object) -> None:
    """Stand in for IPython's pager: print the text, without colours and without where its file lies on this machine."""
    text = data["text/plain"] if isinstance(data, dict) else str(data)
    lines = as_shown(text).splitlines()
    print("\n".join(line.rstrip() for line in lines if not line.startswith("File:")).strip())


def as_shown(text: str) -> str:
    """Return what a terminal shows of a text, without colours and links, and with what was overwritten gone."""
    lines = ANSI.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(_overtyped(line) if re.search(r"[\r\b]", line) else line for line in lines)


def in_html(text: str) -> str:
    """Return a text as HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def _overtyped(line: str) -> str:
    row: list[str] = []
    place = 0
    for character in line:
        if character == "\r":
            place = 0
        elif character == "\b":
            place = max(0, place - 1)
        else:
            row[place : place + 1] = character
            place += 1
    return "".join(row).rstrip()
