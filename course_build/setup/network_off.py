"""Run a command that can reach no network but this machine's own loopback.

On Linux the command gets a network namespace of its own, in which loopback is the only interface. Where that isn't
allowed (macOS, Windows, some containers) a guard in every Python process refuses to connect or to look up a name.
"""

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1

GUARD = Path(__file__).with_name("network_guard")
"""A folder for PYTHONPATH: Python imports its `sitecustomize` at start."""


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command without network. `options` are those of `subprocess.run`."""
    if namespaces_allowed():
        return subprocess.run(command, preexec_fn=_enter_namespace, **options)
    environ = dict(options.pop("env", None) or os.environ)
    environ["PYTHONPATH"] = os.pathsep.join([str(GUARD), *filter(None, [environ.get("PYTHONPATH")])])
    return subprocess.run(command, env=environ, **options)


def namespaces_allowed() -> bool:
    """Tell whether this process may make a network namespace: Linux, as root or with user namespaces."""
    if sys.platform != "linux" or os.environ.get("COURSE_OFFLINE") == "guard":
        return False
    try:
        return subprocess.run([sys.executable, "-c", ""], preexec_fn=_enter_namespace).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def _enter_namespace() -> None:
    """In the child, before it becomes the command: leave the machine's network, and bring loopback up."""
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    user, group = os.getuid(), os.getgid()
    if unshare(CLONE_NEWNET):
        if unshare(CLONE_NEWUSER | CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "no network namespace")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            Path("/proc/self", name).write_text(text)
    import fcntl

    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as handle:
        fcntl.ioctl(handle, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))
