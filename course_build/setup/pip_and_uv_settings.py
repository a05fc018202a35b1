"""The settings that reach pip and uv when the course calls them: where packages come from, never where to put them.

People set up pip and uv for their own work. Some of that says where packages come from and how to get there: an index,
a mirror, a proxy, a certificate. All of it holds for the course, too. The rest says where to install, or what to
refuse (`target`, `user`, `prefix`, `require-hashes`, `constraint`, ...). Here it would put packages elsewhere, or stop
the set-up with a message about something else. So pip's and uv's settings are read once, in every form that the two
document, and a child is given those of the first kind alone.

Standard library only: the set-up uses it on the bare interpreter.
"""

import ast
import contextlib
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Generator
from pathlib import Path
from typing import Any

from course_build import BuildError, progress
from course_build.paths import ROOT

Table = dict[str, Any]
"""A table of a TOML file that others write: uv's settings."""

PIP_LISTS = ("extra-index-url", "find-links", "trusted-host")
"""Where pip takes several values, separated by white space."""

PIP_KEPT = (
    *("index-url", "no-index", "cert", "client-cert", "proxy", "timeout", "retries", "resume-retries"),
    *("keyring-provider", "cache-dir", "no-cache-dir", *PIP_LISTS),
)
"""What a pip is told, by the long name of its option."""

PIP_SYNONYMS = {"pypi-url": "index-url", "default-timeout": "timeout"}

PIP_FEATURES = {"use-feature": "truststore", "use-deprecated": "legacy-certs"}
"""The one value of each that says whom to trust."""

UV_KEPT = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX(_\w+)?|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|INSECURE_HOST|KEYRING_PROVIDER|NATIVE_TLS"
    r"|SYSTEM_CERTS|HTTP_\w+|REQUEST_TIMEOUT|\w+_PROXY|\w+_ENDPOINT_URL|CREDENTIALS_DIR|OFFLINE|TORCH_BACKEND"
    r"|CACHE_DIR|NO_CACHE|LINK_MODE|CONCURRENT_\w+)"
)
"""The variables of uv's own that it is told."""

UV_KEPT_IN_FILES = (
    *("index", "index-url", "extra-index-url", "find-links", "no-index", "index-strategy", "allow-insecure-host"),
    *("keyring-provider", "native-tls", "system-certs", "http-proxy", "https-proxy", "no-proxy", "offline"),
    *("torch-backend", "cache-dir", "no-cache", "link-mode", "concurrent-downloads"),
)
"""The keys of uv's configuration files that it is told, at the top level and under `pip`."""

UV_INDEX_OF = {
    "index-url": ("index-url", "UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra-index-url": ("extra-index-url", "UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("find-links", "UV_FIND_LINKS"),
    "no-index": ("no-index", "UV_NO_INDEX"),
    "trusted-host": ("allow-insecure-host", "UV_INSECURE_HOST"),
    "keyring-provider": ("keyring-provider", "UV_KEYRING_PROVIDER"),
}
"""An option of pip: the key in uv's file that says the same, and the variables of uv's own that win over it."""

LEADS_ELSEWHERE = (
    *("PYTHONHOME", "PYTHONPATH", "PYTHONPLATLIBDIR", "PYTHONEXECUTABLE", "PYTHONUSERBASE", "PYTHONSAFEPATH"),
    *("__PYVENV_LAUNCHER__", "VIRTUAL_ENV"),
)
"""What would lead the interpreter of an environment elsewhere."""


PIP_FILE = "pip.ini" if os.name == "nt" else "pip.conf"
"""The configuration file of an environment of its own."""


def base_interpreter() -> str:
    """The interpreter that this one's environment was made of; itself, if it belongs to none."""
    return getattr(sys, "_base_executable", None) or sys.executable


def environ(*dropped: str) -> dict[str, str]:
    """Return this process's variables, without those that lead an interpreter elsewhere, and without `dropped`."""
    return {key: value for key, value in os.environ.items() if key not in LEADS_ELSEWHERE + dropped}


def pip_environ(command: str = "install", interpreter: Path | None = None) -> dict[str, str]:
    """Return the variables for a child that is pip: where packages come from, and nothing else of pip's settings.

    Args:
        command: pip's subcommand, whose own section in the configuration files counts.
        interpreter: of the environment that pip belongs to; this one, if it isn't named.

    Raises:
        BuildError: pip can't read its configuration.
    """
    settings = read_pip(command, interpreter)
    told = {_variable(key): value if isinstance(value, str) else " ".join(value) for key, value in settings.items()}
    bare = {key: value for key, value in environ().items() if not key.startswith(("PIP_", "UV_"))}
    return {**bare, **told, "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


@contextlib.contextmanager
def uv_environ(interpreter: Path | None = None) -> Generator[dict[str, str]]:
    """The variables for a child that is uv, in a block: pip's settings are told, and uv's own win over them.

    They name a configuration file, which may hold a password, as those do that it is made of. It is gone afterwards.

    Args:
        interpreter: of the environment whose pip's settings count; this one, if it isn't named.

    Raises:
        BuildError: pip or uv has a configuration file that can't be read.
    """
    pip, files = read_pip(interpreter=interpreter), read_uv()
    own = {key: value for key, value in os.environ.items() if UV_KEPT.fullmatch(key)}
    bare = {key: value for key, value in environ().items() if not key.startswith(("PIP_", "UV_"))}
    with tempfile.TemporaryDirectory(prefix="course-uv-") as folder:
        path = Path(folder) / "uv.toml"
        path.write_text(_toml({**_for_uv(pip, files, own), **files}), encoding="utf-8")
        yield {**bare, **_connection(pip, bare), **own, "UV_CONFIG_FILE": str(path)}


# ------------------------------------------------------------------------------------------------------------- pip


def read_pip(command: str = "install", interpreter: Path | None = None) -> dict[str, str | list[str]]:
    """Return where pip gets packages from, by the long names of its options, as pip itself sees it.

    Its files come first, then the section of the subcommand, then the variables; an empty value says nothing.

    Raises:
        BuildError: pip can't read its configuration.
    """
    own = Path(interpreter or sys.executable)
    # The interpreter that environments are made of has a person's pip, with the settings of its place; if it has none,
    # as Debian's, the environment's does. And an environment may have a file of its own.
    listed = _pip_config(Path(base_interpreter()))
    if listed is None:
        listed = _pip_config(own) or []
    elif (own.parent.parent / PIP_FILE).exists():
        listed += _pip_config(own, "--site") or []
    sections: dict[str, dict[str, str]] = {"global": {}, command: {}, ":env:": {}}
    for section, key, value in listed:
        if section in sections and value:
            sections[section][PIP_SYNONYMS.get(key, key)] = value
    said = {key: value for section in sections.values() for key, value in section.items()}
    found: dict[str, str | list[str]] = {
        key: value.split() if key in PIP_LISTS else value.strip() for key, value in said.items() if key in PIP_KEPT
    }
    for key in ("index-url", "extra-index-url", "find-links"):
        if isinstance(value := found.get(key), list):
            found[key] = [_address(place, Path.cwd()) for place in value]
        elif value:
            found[key] = _address(value, Path.cwd())
    found |= {key: value for key, value in PIP_FEATURES.items() if value in said.get(key, "").split()}
    return found


def _pip_config(interpreter: Path, *options: str) -> list[tuple[str, str, str]] | None:
    """Return section, key and value of all that an interpreter's `pip config list` prints; None if it has no pip."""
    # Loud, for a pip that is told to be quiet prints no settings either; and not the pip of another interpreter.
    loud = environ("PIP_QUIET", "PIP_VERBOSE", "PIP_PYTHON", "PIP_LOG")
    command = [interpreter, "-m", "pip", "-vvv", "config", *options, "list"]
    done = subprocess.run(command, env=loud, capture_output=True, text=True, errors="replace")
    if "No module named pip" in done.stderr:
        return None
    if done.returncode:
        raise BuildError(f"pip can't read its settings: {progress.last_sentence(done.stderr)}")
    lines = re.findall(r"^(:env:|[\w-]+)\.([\w-]+)=((?:'.*'|\".*\"))$", done.stdout, re.MULTILINE)
    return [(section, key, ast.literal_eval(value)) for section, key, value in lines]


def _variable(key: str) -> str:
    return f"PIP_{key.upper().replace('-', '_')}"


def _address(place: str, base: Path) -> str:
    """Return the address of a folder, wherever a child runs, and whatever a space or a `#` in it means to it."""
    if re.match(r"[a-zA-Z][\w+.-]+:", place):
        return place
    return (base / Path(place).expanduser()).as_uri()


# -------------------------------------------------------------------------------------------------------------- uv


def read_uv() -> Table:
    """Return where uv gets packages from, as its configuration files say it.

    Raises:
        BuildError: one of them can't be read.
    """
    found: Table = {}
    for path in _uv_files():
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BuildError(f"{path}, a file of settings for uv, can't be read: {error}.") from error
        if path.name == "pyproject.toml":
            content = content.get("tool", {}).get("uv", {})
        own = _kept(content, path.parent)
        if isinstance(content.get("pip"), dict):
            own["pip"] = _kept(content["pip"], path.parent)
        found = _combined(found, own)
    return found


def _uv_files() -> list[Path]:
    """Return uv's configuration files, the one that wins first."""
    if os.environ.get("UV_NO_CONFIG", "").lower() in ("1", "true", "yes", "on"):
        return []
    if named := os.environ.get("UV_CONFIG_FILE"):
        return [Path(named)]
    projects = (path for folder in (ROOT, *ROOT.parents) for path in (folder / "uv.toml", folder / "pyproject.toml"))
    project = next((path for path in projects if path.is_file() and _is_uvs(path)), None)
    if os.name == "nt":
        user, systems = os.environ.get("APPDATA", ""), [os.environ.get("PROGRAMDATA", "")]
    else:
        user = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        systems = [*os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep), "/etc"]
    system = [Path(folder) / "uv" / "uv.toml" for folder in systems if folder]
    candidates = [project, Path(user) / "uv" / "uv.toml", next((path for path in system if path.is_file()), None)]
    return [path for path in candidates if path and path.is_file()]


def _is_uvs(path: Path) -> bool:
    """Tell whether a project's file has settings for uv. (A project file that isn't ours may be no TOML at all.)"""
    if path.name == "uv.toml":
        return True
    with contextlib.suppress(OSError, ValueError):
        return "uv" in tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    return False


def _kept(table: Table, base: Path) -> Table:
    """Return what uv is told of one of its tables, with the addresses of its folders."""
    kept = {key: table[key] for key in UV_KEPT_IN_FILES if key in table}
    for key in ("extra-index-url", "find-links"):
        if isinstance(kept.get(key), list):
            kept[key] = [_address(place, base) for place in kept[key]]
    if isinstance(kept.get("index-url"), str):
        kept["index-url"] = _address(kept["index-url"], base)
    if isinstance(kept.get("index"), list):
        kept["index"] = [{**index, "url": _address(index.get("url", ""), base)} for index in kept["index"]]
    return kept


def _combined(first: Table, second: Table) -> Table:
    """Return two tables in one, as uv combines them: of two values the first, of two lists both."""
    result = {**second, **first}
    for key in first.keys() & second.keys():
        if isinstance(first[key], list) and isinstance(second[key], list):
            result[key] = [*first[key], *second[key]]
        elif isinstance(first[key], dict) and isinstance(second[key], dict):
            result[key] = _combined(first[key], second[key])
    return result


def _for_uv(pip: dict[str, str | list[str]], files: Table, own: dict[str, str]) -> Table:
    """Return pip's settings as keys of uv's file, where uv itself isn't told of the same."""
    indexes = [*files.get("index", []), *files.get("pip", {}).get("index", [])]
    has = {
        "index-url": any(index.get("default") for index in indexes),
        "extra-index-url": any(not index.get("default") for index in indexes),
    }
    told: Table = {}
    for option, (key, *variables) in UV_INDEX_OF.items():
        in_files = has.get(option) or key in files or key in files.get("pip", {})
        if option in pip and not in_files and not own.keys() & set(variables):
            told[key] = pip[option]
    if "no-index" in told:
        told["no-index"] = told["no-index"].lower() in ("y", "yes", "t", "true", "on", "1")
    if "keyring-provider" in told:  # uv knows two, of which the second asks the program, as pip's others do
        told["keyring-provider"] = "disabled" if told["keyring-provider"] == "disabled" else "subprocess"
    if "extra-index-url" in told:
        told["index-strategy"] = "unsafe-best-match"  # pip's: the best version of all the indexes
    if pip.get("use-feature"):
        told["native-tls"] = True
    return told


def _connection(settings: dict[str, str | list[str]], bare: dict[str, str]) -> dict[str, str]:
    """Return the variables that tell uv of pip's certificates, proxy and patience."""
    pip = {key: value for key, value in settings.items() if isinstance(value, str)}
    told: dict[str, str] = {}
    if "cert" in pip and not bare.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR"}:
        told["SSL_CERT_DIR" if Path(pip["cert"]).is_dir() else "SSL_CERT_FILE"] = pip["cert"]
    if "client-cert" in pip and "SSL_CLIENT_CERT" not in bare:
        told["SSL_CLIENT_CERT"] = pip["client-cert"]
    if "proxy" in pip:  # for pip it wins over the variables that every program knows
        address = pip["proxy"] if "://" in pip["proxy"] else f"http://{pip['proxy']}"
        told |= {name: address for word in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY") for name in (word, word.lower())}
    for option, name in (("timeout", "UV_HTTP_TIMEOUT"), ("retries", "UV_HTTP_RETRIES")):
        with contextlib.suppress(KeyError, ValueError):
            told[name] = str(math.ceil(float(pip[option])))
    return told


def _toml(table: Table) -> str:
    """Write a table as TOML; tables within it on one line."""

    def text(value: object) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{json.dumps(key)} = {text(one)}" for key, one in value.items()) + " }"
        if isinstance(value, list):
            return "[" + ", ".join(map(text, value)) + "]"
        return json.dumps(value, ensure_ascii=False)  # a string, a number or a truth is written alike in both

    return "".join(f"{json.dumps(key)} = {text(value)}\n" for key, value in table.items())
