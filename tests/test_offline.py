"""An offline run reaches this machine's loopback and nothing else, in a namespace or under the guard."""

import subprocess
import sys

import pytest

from course_build.setup import network_off

# 192.0.2.1 is reserved for documentation (RFC 5737): no machine has it.
PROBE = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
with socket.create_connection(listener.getsockname(), timeout=5):
    print("loopback works")
if sys.argv[1] == "namespace":
    assert [name for _, name in socket.if_nameindex()] == ["lo"], socket.if_nameindex()
for ask in (
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=5),
    lambda: socket.getaddrinfo("huggingface.co", 443),
):
    try:
        ask()
    except OSError as error:
        print("refused")
"""


@pytest.mark.parametrize("mode", ["namespace", "guard"])
def test_only_loopback_can_be_reached(mode, monkeypatch):
    if mode == "guard":
        monkeypatch.setenv("COURSE_OFFLINE", "guard")
    elif not network_off.namespaces_allowed():
        pytest.skip("this machine allows no network namespaces; the guard does their work here")
    result = network_off.run([sys.executable, "-c", PROBE, mode], capture_output=True, text=True)
    assert result.stdout.splitlines() == ["loopback works", "refused", "refused"], result.stderr


def test_the_network_of_the_caller_stays(monkeypatch):
    """Only the child is cut off: afterwards this process still has the interfaces it had."""
    import socket

    before = socket.if_nameindex()
    network_off.run([sys.executable, "-c", ""])
    assert socket.if_nameindex() == before


def test_options_and_exit_status_are_those_of_subprocess(tmp_path):
    result = network_off.run(
        [sys.executable, "-c", "import os, sys; sys.exit(os.getcwd() != sys.argv[1])", str(tmp_path)], cwd=tmp_path
    )
    assert isinstance(result, subprocess.CompletedProcess)
    assert result.returncode == 0
