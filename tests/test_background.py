"""A service beside a notebook: it answers, it stops, and it ends with whoever started it."""

import json
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest

from course_utils.background import start_service

PARENT = """
from course_utils.background import start_service
service = start_service()
print(service._process.pid, flush=True)
input()
"""


def test_it_answers_and_stops():
    service = start_service("--max-texts", "3")
    try:
        assert service.running
        assert service.command == "python -m course_utils serve --port 0 --max-texts 3"
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
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 60
    while psutil.pid_exists(child.pid) and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(child.pid) or child.status() == psutil.STATUS_ZOMBIE


def test_what_it_said_when_it_can_not_start():
    with pytest.raises(RuntimeError, match="max_texts has to be more than 0"):
        start_service("--max-texts", "0")
