"""A notebook's manners: quiet libraries, repeatable numbers, and `?` answered in the page."""

import html
import logging
import os
import re
import warnings

from course_utils.classroom import kernel

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[@-Z\\^_=>78])")
"""What a terminal takes as an order and doesn't print: colours, moves of the cursor, links (ECMA-48)."""


def prepare(seed: int = 0) -> None:
    """Make this notebook quiet and repeatable; call it once, before the first model is loaded.

    It turns off progress bars and library chatter, shows what `?` and `??` say below the cell (in JupyterLab they
    open a pager, which a saved notebook does not keep), and seeds the random numbers of Python, NumPy and torch. In a
    learner's folder, which `make lab` makes, the kernel then shows more (`course_utils.classroom`).

    Args:
        seed: where the random numbers start; the same seed gives the same numbers.
    """
    kernel.set_up()  # first: it has a word on packages that the next step misses
    quiet()
    answer_in_page()
    seed_everything(seed)


def quiet() -> None:
    """Turn off the Hugging Face libraries' progress bars, advice and warnings, imported already or not.

    With `COURSE_WARNINGS=show` in the environment the warnings stay, for the maintainer who tries an upgrade.
    """
    os.environ.update(HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    if os.environ.get("COURSE_WARNINGS") == "show":
        return
    transformers_logging.set_verbosity_error()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|huggingface_hub|torch)\b.*")


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
