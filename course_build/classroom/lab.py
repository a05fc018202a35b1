"""`python -m course_build lab`: open the learner's copies of the lessons in JupyterLab, with the models in place."""

import argparse
import json
import os
import re
import sys
import webbrowser
from pathlib import Path

from jupyter_server.serverapp import list_running_servers

from course_build import foreground
from course_build.classroom import copies
from course_build.models import prepare
from course_build.notebooks.run import ALLOCATOR
from course_build.paths import MY_LESSONS, NOTEBOOKS, ROOT
from course_utils.classroom.front_door import START
from course_utils.classroom.kernel import EXTENSION

DEFAULTS = Path(__file__).parent / "jupyter"
"""A folder for JUPYTER_CONFIG_PATH: defaults, so that what a learner chooses in JupyterLab's own settings counts.

They keep JupyterLab from asking at the first start whether it may fetch news from another host, and from asking that
host whether there is a newer version: the lock says which one there is. They show Markdown as a page, not as source.
And they end a kernel when its notebook is closed, for each lesson holds some memory."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Choose lessons for a fresh start; what follows `--` goes to JupyterLab."""
    parser.add_argument(
        "--reset",
        nargs="+",
        default=[],
        metavar="LESSON",
        help="begin a lesson anew, as 03; yours is kept under another name",
    )
    parser.add_argument("--no-start", action="store_true", help="bring the copies up to date, and start nothing")
    parser.add_argument("--folder", type=Path, default=MY_LESSONS, help="your folder, if it isn't my_lessons")
    parser.add_argument("--source", action="store_true", help="open the lessons themselves, to change the course")
    parser.add_argument("options", nargs="*", help="options for JupyterLab, after --")


def run(arguments: argparse.Namespace) -> int:
    """Bring the copies up to date, and start JupyterLab in their folder; return JupyterLab's exit status.

    Raises:
        BuildError: the copies can't be written.
    """
    if arguments.source:
        folder, page = ROOT, NOTEBOOKS.name
    else:
        folder, page = arguments.folder.absolute(), START
        fresh = [name for each in arguments.reset for name in re.split(r"[\s,]+", each) if name]
        news = str(copies.bring_up_to_date(folder, fresh)) or "your lessons are up to date"
        print("\n".join(f"lab: {line}" for line in news.splitlines()), flush=True)
    if arguments.no_start:
        return 0
    _teach_kernels()
    prepare.prepare()
    if running := _running(folder):
        address = _address(running, page)
        print(f"lab: JupyterLab runs already, at {address}", flush=True)
        if arguments.reset:
            print("lab: Is that lesson open in it? Choose File > Reload Notebook from Disk there, before you save it.")
        webbrowser.open(address)
        return 0
    return _start(folder, page, arguments.options)


def _teach_kernels() -> None:
    """Have every kernel of this environment load the classroom, whichever program starts it. A setting there stays."""
    settings = Path(sys.prefix, "etc", "ipython", "ipython_kernel_config.json")
    if not settings.exists():
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps({"IPKernelApp": {"extensions": [EXTENSION]}}), encoding="utf-8")


def _start(folder: Path, page: str, options: list[str]) -> int:
    """Run JupyterLab, which says at which address it is, until it is ended."""
    paths = [*filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")]), str(DEFAULTS)]
    environ = {**ALLOCATOR, **os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.answer_yes=True", "--ServerApp.log_level=WARN"]
    command += ["--LabApp.log_level=WARN", f"--LabApp.default_url=/lab/tree/{page}", f"--ServerApp.root_dir={folder}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--ServerApp.allow_root=True")  # JupyterLab refuses root, who is alone in a container
    print("lab: JupyterLab starts. Ctrl+C here ends it, and the kernels of all open lessons.", flush=True)
    return foreground.run([*command, *options], environ, ROOT)


def _running(folder: Path) -> dict[str, str] | None:
    """Return what a JupyterLab that runs in a folder already says of itself."""
    return next((each for each in list_running_servers() if Path(each["root_dir"]) == folder), None)


def _address(running: dict[str, str], page: str) -> str:
    return f"{running['url']}lab/tree/{page}?token={running['token']}"
