"""Loaded at the start of every Python process of an offline run: refuses every address but this machine's own."""

from __future__ import annotations

import ipaddress
import socket

TYPE_CHECKING = False  # not from `typing`, which every process would import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _is_local(host: object) -> bool:
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


def _guarded(function: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
    def call(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            raise OSError(f"this run is offline, and something asked for {address[0]}")
        return function(self, address)

    return call


def _guarded_lookup(host: str | bytes | None, *arguments: Any, **options: Any) -> Any:
    if not _is_local(host):
        raise socket.gaierror(socket.EAI_NONAME, f"this run is offline, and something asked for {host}")
    return _lookup(host, *arguments, **options)


_lookup = socket.getaddrinfo
socket.getaddrinfo = _guarded_lookup
for _name in ("connect", "connect_ex"):
    setattr(socket.socket, _name, _guarded(getattr(socket.socket, _name)))
