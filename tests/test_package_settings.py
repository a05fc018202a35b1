"""What pip and uv are told: all that says where packages come from, in every form that they document, and no more."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from course_build import BuildError
from course_build.setup import pip_and_uv_settings

PIP_CONF = "AppData/pip/pip.ini" if os.name == "nt" else ".config/pip/pip.conf"
UV_TOML = "AppData/uv/uv.toml" if os.name == "nt" else ".config/uv/uv.toml"
CONNECTION = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def without_settings(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Take every variable and every home from pip and uv. What is set for the whole machine stays."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "XDG_", *CONNECTION))]:
        monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("APPDATA", str(folder / "AppData"))


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> tuple[dict, dict]:
    """What pip and uv are told on this machine where nobody sets anything."""
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch, tmp_path_factory.mktemp("nobody"))
        return told_to_pip(), told_to_uv()[0]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home in which a test writes settings."""
    without_settings(monkeypatch, tmp_path)

    def write(path: str, text: str) -> Path:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
        return tmp_path / path

    return write


def address(path: str) -> str:
    """The address of a folder."""
    return Path(path).absolute().as_uri()


def told_to_uv() -> tuple[dict, dict[str, str]]:
    """What uv reads: its configuration file, and the variables that concern it."""
    with pip_and_uv_settings.uv_environ() as environ:
        path = Path(environ["UV_CONFIG_FILE"])
        file = tomllib.loads(path.read_text(encoding="utf-8"))
    assert not path.exists()
    kept = {key: value for key, value in environ.items() if key.startswith(("UV_", "PIP_")) or key in CONNECTION}
    return file, {key: value for key, value in kept.items() if key != "UV_CONFIG_FILE"}


def told_to_pip(command: str = "install") -> dict[str, str]:
    """What pip reads: its variables, without those that are always the same."""
    environ = pip_and_uv_settings.pip_environ(command)
    told = {key: value for key, value in environ.items() if key.startswith(("PIP_", "UV_"))}
    assert told.pop("PIP_CONFIG_FILE") == os.devnull
    return {key: value for key, value in told.items() if key not in ("PIP_NO_INPUT", "PIP_DISABLE_PIP_VERSION_CHECK")}


ALL_OF_PIP = """\
[global]
index_url = https://someone:p%40ss@one.example/simple
extra-index-url =
    https://two.example/simple
    https://three.example/simple
find-links = /wheels
trusted-host = one.example two.example:8443
timeout = 7.5
retries = 9
proxy = proxy.example:3128
cert = /company.pem
client-cert = /me.pem
keyring-provider = import
target = /elsewhere
constraint = /constraints.txt
[install]
find-links = file:///more%20wheels
    /wheels
user = true
[download]
find-links = /for-downloads
dest = /elsewhere
"""


def test_all_that_says_where_from_is_told_in_pip_s_own_precedence(home, machine, monkeypatch):
    home(PIP_CONF, ALL_OF_PIP)
    monkeypatch.setenv("PIP_RETRIES", "2")
    monkeypatch.setenv("PIP_TIMEOUT", "")  # says nothing
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    pip = told_to_pip()
    assert pip == machine[0] | {
        "PIP_INDEX_URL": "https://someone:p%40ss@one.example/simple",
        "PIP_EXTRA_INDEX_URL": "https://two.example/simple https://three.example/simple",
        "PIP_FIND_LINKS": f"file:///more%20wheels {address('/wheels')}",
        "PIP_TRUSTED_HOST": "one.example two.example:8443",
        "PIP_TIMEOUT": "7.5",
        "PIP_RETRIES": "2",
        "PIP_PROXY": "proxy.example:3128",
        "PIP_CERT": "/company.pem",
        "PIP_CLIENT_CERT": "/me.pem",
        "PIP_KEYRING_PROVIDER": "import",
    }
    assert told_to_pip("download") == {**pip, "PIP_FIND_LINKS": address("/for-downloads")}
    file, variables = told_to_uv()
    assert file == machine[1] | {
        "index-url": "https://someone:p%40ss@one.example/simple",
        "extra-index-url": ["https://two.example/simple", "https://three.example/simple"],
        "index-strategy": "unsafe-best-match",
        "find-links": ["file:///more%20wheels", address("/wheels")],
        "allow-insecure-host": ["one.example", "two.example:8443"],
        "keyring-provider": "subprocess",
    }
    assert variables == {
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://proxy.example:3128"),
        "SSL_CERT_FILE": "/company.pem",
        "SSL_CLIENT_CERT": "/me.pem",
        "UV_HTTP_TIMEOUT": "8",
        "UV_HTTP_RETRIES": "2",
    }


@pytest.mark.parametrize(
    ("variables", "pip", "uv"),
    [
        ({"PIP_NO_INDEX": "1"}, {"PIP_NO_INDEX": "1"}, {"no-index": True}),
        ({"PIP_NO_INDEX": "no"}, {"PIP_NO_INDEX": "no"}, {"no-index": False}),
        (
            {"PIP_FIND_LINKS": "/a\t /b\n/c"},
            {"PIP_FIND_LINKS": f"{address('/a')} {address('/b')} {address('/c')}"},
            {"find-links": [address("/a"), address("/b"), address("/c")]},
        ),
        (
            {"PIP_PYPI_URL": "https://i.example"},
            {"PIP_INDEX_URL": "https://i.example"},
            {"index-url": "https://i.example"},
        ),
        ({"PIP_USE_FEATURE": "fast-deps truststore"}, {"PIP_USE_FEATURE": "truststore"}, {"native-tls": True}),
        ({"PIP_KEYRING_PROVIDER": "disabled"}, {"PIP_KEYRING_PROVIDER": "disabled"}, {"keyring-provider": "disabled"}),
        # pip is as loud as it must be, and its own interpreter's, whatever these say.
        ({"PIP_QUIET": "3", "PIP_PYTHON": "/none", "PIP_NO_INDEX": "on"}, {"PIP_NO_INDEX": "on"}, {"no-index": True}),
    ],
)
def test_each_form_of_a_variable(home, machine, monkeypatch, variables, pip, uv):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert told_to_pip() == machine[0] | pip
    assert told_to_uv()[0] == machine[1] | uv


def test_a_folder_is_told_from_where_the_person_stands(home, machine, monkeypatch, tmp_path):
    """Also where a `#` stands in the path, which uv takes for the end of it."""
    (tmp_path / "a #1 b").mkdir()
    monkeypatch.chdir(tmp_path / "a #1 b")
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels ~/more https://else.example/simple")
    expected = [f"{tmp_path.as_uri()}/a%20%231%20b/wheels", f"{tmp_path.as_uri()}/more", "https://else.example/simple"]
    assert told_to_uv()[0] == machine[1] | {"find-links": expected}
    assert told_to_pip() == machine[0] | {"PIP_FIND_LINKS": " ".join(expected)}


@pytest.mark.skipif(os.name == "nt", reason="its environment is made of links and a script")
def test_an_environment_s_own_file_counts_and_a_base_without_pip_does_not_matter(home, machine, monkeypatch, tmp_path):
    bin_folder = tmp_path / "venv" / "bin"
    bin_folder.mkdir(parents=True)
    own = bin_folder / Path(sys.executable).name
    own.symlink_to(sys.executable)
    base = Path(pip_and_uv_settings.base_interpreter()).parent
    home("venv/pyvenv.cfg", f"home = {base}\ninclude-system-site-packages = true\n")
    home(PIP_CONF, "[global]\nretries = 1\ntimeout = 1\n")
    home(f"venv/{pip_and_uv_settings.PIP_FILE}", "[global]\nretries = 2\n")
    expected = machine[0] | {"PIP_RETRIES": "2", "PIP_TIMEOUT": "1"}
    assert pip_and_uv_settings.pip_environ(interpreter=own).items() >= expected.items()
    (tmp_path / "bare").write_text("#!/bin/sh\necho No module named pip >&2\nexit 1\n")
    (tmp_path / "bare").chmod(0o755)
    monkeypatch.setattr(pip_and_uv_settings, "base_interpreter", lambda: str(tmp_path / "bare"))
    assert pip_and_uv_settings.pip_environ(interpreter=own).items() >= expected.items()


def test_what_uv_is_told_itself_wins_over_pip_s(home, monkeypatch):
    home(PIP_CONF, ALL_OF_PIP)
    home(
        UV_TOML,
        'find-links = ["https://own.example/links"]\nexclude-newer = "2020-01-01"\nno-build = true\n'
        '[[index]]\nname = "company"\nurl = "https://own.example/simple"\ndefault = true\n'
        '[pip]\ntarget = "/elsewhere"\nkeyring-provider = "disabled"\n',
    )
    own = {"UV_INDEX": "https://env.example", "UV_INDEX_COMPANY_USERNAME": "me", "UV_HTTP_TIMEOUT": "99"}
    other = {"UV_TARGET": "/x", "UV_SYSTEM_PYTHON": "1", "UV_PROJECT_ENVIRONMENT": "/x", "UV_NO_BINARY": "1"}
    for name, value in {**own, **other, "SSL_CERT_FILE": "/own.pem"}.items():
        monkeypatch.setenv(name, value)
    file, variables = told_to_uv()
    assert file == {
        "find-links": ["https://own.example/links"],
        "index": [{"name": "company", "url": "https://own.example/simple", "default": True}],
        "pip": {"keyring-provider": "disabled"},
        "allow-insecure-host": ["one.example", "two.example:8443"],
    }
    assert {**variables, **own} == variables
    assert not variables.keys() & other.keys()
    assert variables["SSL_CERT_FILE"] == "/own.pem"


def test_uv_s_files_are_combined_as_uv_does_it(home, monkeypatch, tmp_path):
    """The project's, or its parent's, and then the person's; or the one that a variable names; or none."""
    (tmp_path / "around" / "checkout").mkdir(parents=True)
    monkeypatch.setattr(pip_and_uv_settings, "ROOT", tmp_path / "around" / "checkout")
    home("around/checkout/pyproject.toml", '[project]\nname = "without a word for uv"\n')
    home("around/uv.toml", 'find-links = ["wheels"]\nindex-url = "https://work.example"\n')
    home(UV_TOML, 'find-links = ["/person"]\nindex-url = "https://person.example"\nno-index = false\n')
    assert pip_and_uv_settings.read_uv() == {
        "find-links": [address(f"{tmp_path}/around/wheels"), address("/person")],
        "index-url": "https://work.example",
        "no-index": False,
    }
    home(
        "around/checkout/pyproject.toml", '[tool.uv]\nindex-url = "https://checkout.example"\n[tool.uv.pip]\nuser = 1\n'
    )
    assert pip_and_uv_settings.read_uv()["index-url"] == "https://checkout.example"
    monkeypatch.setenv("UV_CONFIG_FILE", str(home("named.toml", 'index-url = "https://named.example"\n')))
    assert pip_and_uv_settings.read_uv() == {"index-url": "https://named.example"}
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    assert pip_and_uv_settings.read_uv() == {}


def test_settings_that_cannot_be_read_are_a_sentence(home):
    home(UV_TOML, "index-url = ")
    with pytest.raises(BuildError, match=r"uv\.toml, a file of settings for uv, can't be read: "):
        pip_and_uv_settings.read_uv()
    home(PIP_CONF, "index-url = outside of any section\n")
    with pytest.raises(BuildError, match="pip can't read its settings: "):
        pip_and_uv_settings.read_pip()


def test_uv_reads_what_it_is_told(home, monkeypatch, tmp_path):
    """The file that is written for it, in uv's own words."""
    pytest.importorskip("uv")
    links = tmp_path / "a #1 folder"
    links.mkdir()
    home(UV_TOML, f'find-links = ["{links.as_posix()}"]\n[pip]\ntarget = "/elsewhere"\n')
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pip_and_uv_settings.uv_environ() as environ:
        command = [sys.executable, "-m", "uv", "pip", "install", "--show-settings", "none"]
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 'path: "' + links.as_posix().replace(" ", "%20").replace("#", "%23") in done.stdout
    assert "no_index: true" in done.stdout
    assert "target: None" in done.stdout


def test_nothing_leads_an_interpreter_elsewhere(monkeypatch):
    for name in pip_and_uv_settings.LEADS_ELSEWHERE:
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    environ = pip_and_uv_settings.environ("COURSE_MODELS")
    assert not environ.keys() & {*pip_and_uv_settings.LEADS_ELSEWHERE, "COURSE_MODELS"}
    assert environ["HTTPS_PROXY"] == "http://proxy.example"
