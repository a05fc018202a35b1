"""Programs beside a notebook: a service answers and stops; nothing outlives the notebook, or what was run."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest

from course_utils.background_programs import run_and_clean_up, start_service

PARENT = """
from course_utils.background_programs import start_service
service = start_service("--backend", "onnx")
print(service._process.pid, flush=True)
input()
"""

FAMILY = """
import os, signal, subprocess, sys, time
# A child and, in a process group of its own as Ray's workers are, a grandchild. Both go on for ever.
child = "import os, sys, subprocess, time; os.setpgid(0, 0); subprocess.Popen([sys.executable, '-c', sys.argv[1]]); "
sleep = "import os, time; open(str(os.getpid()), 'w'); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child + sleep, sleep])
while len(os.listdir(".")) < 2:
    time.sleep(0.02)
print("started", flush=True)
"""
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
CALLER = """
import signal, sys
from course_utils.background_programs import run_and_clean_up
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
run_and_clean_up([sys.executable, "-c", sys.argv[1] + "time.sleep(600)"], timeout=600, cwd=sys.argv[2])
"""


def test_it_answers_and_stops():
    service = start_service("--backend", "onnx", "--max-texts", "3")
    try:
        assert service.running
        assert service.command == "python -m course_utils serve --port 0 --backend onnx --max-texts 3"
        body = json.dumps({"texts": ["A joy from start to end."]}).encode()
        request = urllib.request.Request(f"{service.url}/classify", body, {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as response:
            assert json.load(response)["results"][0]["label"] == "POSITIVE"
    finally:
        status = service.stop()
    assert status == 0
    assert not service.running
    assert service.stop() == 0


def test_it_ends_with_a_parent_that_is_killed():
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )
    child = int(parent.stdout.readline())
    assert is_alive(child)
    parent.kill()
    parent.communicate()
    wait_for(lambda: not is_alive(child))


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert condition()


def test_what_it_said_when_it_can_not_start():
    with pytest.raises(RuntimeError, match="max_texts has to be more than 0"):
        start_service("--max-texts", "0")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no sessions")
@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("raise SystemError", 1),
        ("os.kill(os.getpid(), signal.SIGKILL)", 128 + 9),
    ],
)
def test_nothing_stays_behind_however_a_program_ends(tmp_path, ending, status):
    done = run_and_clean_up([sys.executable, "-c", FAMILY + ending], timeout=300, cwd=tmp_path, **PIPES)
    assert (done.returncode, done.stdout) == (status, "started\n")
    pids = [int(path.name) for path in tmp_path.iterdir()]
    assert len(pids) == 2
    assert not any(map(is_alive, pids))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no sessions")
def test_nothing_stays_behind_when_the_time_is_up(tmp_path):
    for seconds in (1, 4, 16, 64, 256):  # long enough for the family to be complete, on a busy machine, too
        folder = tmp_path / str(seconds)
        folder.mkdir()
        with pytest.raises(subprocess.TimeoutExpired):
            run_and_clean_up([sys.executable, "-c", FAMILY + "time.sleep(600)"], timeout=seconds, cwd=folder, **PIPES)
        pids = [int(path.name) for path in folder.iterdir()]
        assert not any(map(is_alive, pids))
        if len(pids) == 2:
            return
    raise AssertionError("the family was never complete")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no sessions")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_nothing_stays_behind_when_the_caller_ends(tmp_path, end):
    caller = subprocess.Popen([sys.executable, "-c", CALLER, FAMILY, tmp_path], stderr=subprocess.PIPE)
    wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
    pids = [int(path.name) for path in tmp_path.iterdir()]
    assert all(map(is_alive, pids))
    caller.send_signal(end)
    caller.communicate(timeout=60)
    wait_for(lambda: not any(map(is_alive, pids)))


def test_a_program_that_is_not_there_is_named(tmp_path):
    done = run_and_clean_up([str(tmp_path / "none")], timeout=60, stderr=subprocess.PIPE, encoding="utf-8")
    assert done.returncode == 127
    assert f"{tmp_path / 'none'} could not be started" in done.stderr
