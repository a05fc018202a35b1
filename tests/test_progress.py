"""Progress: a bar in a terminal, plain lines in a log, and a child's words where they belong."""

import os
import re
import subprocess
import sys
import time

import pytest

from course_build import progress
from course_build.paths import ROOT


@pytest.fixture
def quick(monkeypatch):
    """A log that may not be silent for a moment."""
    monkeypatch.setattr(progress, "LOG_SECONDS", 0)
    monkeypatch.setattr(progress, "BEAT_SECONDS", 0.01)


def timeless(text: str) -> str:
    """Text without the seconds, of which a busy machine takes more."""
    return re.sub(r"\b\d+ s\b", "N s", text)


def in_a_terminal(code: str) -> str:
    """Run code whose two streams are a terminal; return what was drawn there."""
    pty = pytest.importorskip("pty", reason="no terminals to be had on this system")
    ours, theirs = pty.openpty()
    environ = {**os.environ, "COLUMNS": "100"}
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environ, stdout=theirs, stderr=theirs) as child:
        os.close(theirs)
        drawn = b""
        while True:
            try:
                drawn += (piece := os.read(ours, 4096))
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not piece:
                break
    os.close(ours)
    assert child.returncode == 0, drawn
    return drawn.decode()


def test_a_log_gets_plain_lines_and_one_at_the_end(quick, capsys):
    with progress.Bar("models", 4, "models") as bar:
        bar.to(1, "making one")
        bar.say("models: one is made")
        bar.to(4)
    said = capsys.readouterr()
    assert said.out == "models: one is made\n"
    lines = timeless(said.err).splitlines()
    assert lines[0].startswith("models: 1 of 4 models, ")
    assert lines[0].endswith(", making one")
    assert lines[-1] == "models: 4 of 4 models in N s"
    assert "\r" not in said.err


def test_a_log_gets_no_more_lines_than_it_must(monkeypatch, capsys):
    with progress.Bar("models", 1000, "models") as bar:
        for number in range(1001):
            bar.to(number)
    assert timeless(capsys.readouterr().err) == "models: 1,000 of 1,000 models in N s\n"


def test_a_step_that_says_nothing_is_told_of_all_the_same(quick, capsys):
    with progress.Bar("models", 2, "models") as bar:
        bar.step("making one")
        while "making one" not in capsys.readouterr().err:  # by the bar itself, as the seconds go by
            time.sleep(0.01)
        bar.step("making two")
    assert timeless(capsys.readouterr().err).splitlines()[-1] == "models: 2 of 2 models in N s"


def test_the_estimate_counts_what_was_done_in_this_run(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.Bar("train", 100, "steps", done=50) as bar:
        now[0] = 60
        bar.to(60)
    assert "train: 60 of 100 steps, about 4 min left\n" in capsys.readouterr().err


def test_work_that_fails_leaves_a_line_and_work_that_is_none_leaves_nothing(capsys):
    def fail() -> None:
        with progress.Bar("models", 3, "models") as bar:
            bar.to(2)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert timeless(capsys.readouterr().err) == "models: stopped at 2 of 3 models after N s\n"
    with progress.Bar("models", 0, "models"):
        pass
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_one_line_that_is_drawn_anew_and_fits():
    drawn = in_a_terminal(
        "from course_build import progress\n"
        "with progress.Bar('models', 2, 'models') as bar:\n"
        "    bar.to(1, 'making ' + 'x' * 200)\n"
        "    bar.say('a line above')\n"
        "    bar.to(2)\n"
    )
    lines = timeless(drawn).replace("\r\n", "\n").split("\n")
    assert "models: [##########          ]  50%  1 of 2 models, about " in lines[0]
    assert all(len(piece) < 100 for line in lines for piece in line.split("\r"))
    assert lines[0].endswith("\ra line above")
    assert lines[1].endswith("\rmodels: 2 of 2 models in N s")


def test_a_child_s_words_are_kept_and_counted_seconds_stand_for_them(quick, capsys):
    code = "import sys, time; print('a word', flush=True); time.sleep(0.5); print('why', file=sys.stderr); sys.exit(3)"
    done = progress.run([sys.executable, "-c", code], "x: doing it", shown=False)
    assert (done.returncode, done.stdout) == (3, "a word\nwhy\n")
    said = capsys.readouterr()
    assert said.out == ""
    assert "x: doing it: still at it after N s\n" in timeless(said.err)


def test_a_child_s_words_are_passed_on_in_a_log(capsys):
    done = progress.run([sys.executable, "-c", "print('a word')"], "x: doing it")
    assert done.stdout == "a word\n"
    assert capsys.readouterr() == ("a word\n", "")


def test_a_child_has_the_terminal_for_its_own_bar():
    child = "import sys; print([stream.isatty() for stream in (sys.stdout, sys.stderr)])"
    drawn = in_a_terminal(
        "import sys, subprocess\nfrom course_build import progress\n"
        f"for options in ({{}}, {{'stderr': subprocess.PIPE}}, {{'shown': False}}):\n"
        f"    done = progress.run([sys.executable, '-c', {child!r}], 'x: doing it', **options)\n"
        "    print('kept', repr(done.stdout))\n"
    )
    lines = [line.split("\r")[-1] for line in drawn.replace("\r\n", "\n").split("\n")]
    assert lines[:4] == ["[True, True]", "kept ''", "[True, False]", "kept ''"]
    assert lines[4] == r"kept '[False, False]\n'"


def test_an_interrupted_wait_takes_the_child_with_it(tmp_path, monkeypatch):
    class Interrupted(subprocess.Popen):
        def wait(self, timeout=None):
            if timeout is None and not self.interrupted:
                self.interrupted = True
                raise KeyboardInterrupt
            return super().wait(timeout)

        interrupted = False

    monkeypatch.setattr(progress.subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        progress.run([sys.executable, "-c", "import time; time.sleep(600)"], "x: doing it", shown=False)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("error: Failed to fetch\n  cause: dns error\n  cause: no such host\n\n", "no such host"),
        ("WARNING: old\nERROR: No matching distribution\n", "No matching distribution"),
        ("  cause: Because x needs\n  y, we\n  can't.\n", "Because x needs y, we can't."),
        ("", ""),
    ],
)
def test_the_last_sentence_is_what_a_program_says_of_its_failure(said, sentence):
    assert progress.last_sentence(said) == sentence


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.6, "1 min"), (80, "1 min 20 s"), (3600, "1 h"), (3900, "1 h 5 min"), (7199.9, "2 h")],
)
def test_times_are_said_as_people_say_them(seconds, words):
    assert progress.in_words(seconds) == words


def test_waiting_says_at_once_what_for(quick, capsys):
    with progress.waiting("x: waiting for another"):
        assert capsys.readouterr().err == "x: waiting for another\n"
        while "x: waiting for another: still, after" not in capsys.readouterr().err:
            time.sleep(0.01)
