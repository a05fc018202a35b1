"""The set-up of the environment, and what the files that describe it must have in common."""

import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from course_build import environment, lock
from course_build.errors import BuildError
from course_build.paths import LOCK, ROOT


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def locked() -> list[Requirement]:
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_the_lock_has_a_version_that_the_project_wants_everywhere(project, locked, python, system):
    extras = project["optional-dependencies"]
    wanted = [Requirement(r) for r in [*project["dependencies"], *extras["build"], *extras["test"]]]
    place = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": system}
    place |= {"platform_machine": "x86_64", "os_name": "nt" if system == "win32" else "posix"}
    here = {r.name.lower().replace("_", "-"): r for r in locked if r.marker is None or r.marker.evaluate(place)}
    for requirement in wanted:
        (pin,) = here[requirement.name.lower().replace("_", "-")].specifier
        assert pin.operator == "=="
        assert requirement.specifier.contains(Version(pin.version)), requirement


def test_the_lock_names_no_cuda_package(locked):
    assert not [r.name for r in locked if lock.CUDA.match(f"{r.name}==")]
    assert str(next(r for r in locked if r.name == "torch")) == lock.TORCH


def test_environment_yml_is_the_same_environment(project):
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert conda["name"] == environment.CONDA_NAME == "llm-env"
    *plain, pip = conda["dependencies"]
    python = next(part for part in plain if part.startswith("python="))
    assert Requirement(f"python{project['requires-python']}").specifier.contains(python.removeprefix("python=") + ".1")
    assert "-r requirements.lock" in pip["pip"]
    assert "-e ." in pip["pip"]
    assert any(part.startswith("quarto") for part in plain)


def test_supported_pythons_are_said_once_and_everywhere_the_same(project):
    (low, high) = environment.SUPPORTED
    wanted = Requirement(f"python{project['requires-python']}").specifier
    assert [minor for minor in range(8, 20) if wanted.contains(f"3.{minor}.0")] == list(range(low[1], high[1] + 1))


def test_an_old_python_is_told_which_one_to_get(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    with pytest.raises(BuildError, match=r"this is Python 3\.10.*make site PYTHON="):
        environment.ensure(tmp_path / "venv")


def test_a_full_disk_is_told_before_anything_is_written(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1_000_000_000))
    with pytest.raises(BuildError, match=r"need 3 GB, and this disk has 1\.0 GB left"):
        environment.ensure(tmp_path / "venv")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    (tmp_path / "a-file").write_text("")
    with pytest.raises(BuildError, match="could not be written"):
        environment.ensure(tmp_path / "a-file" / "venv")


def test_set_ups_at_once_wait_for_each_other(tmp_path):
    """Several processes write their begin and end into one file: under the lock no two overlap."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom course_build.environment import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n"
        "    for word in ('begin', 'end'):\n"
        "        with open(sys.argv[2], 'a') as log: log.write(word + '\\n')\n"
        "        time.sleep(0.2)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock"), str(tmp_path / "log")]
    for process in [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]:
        assert process.wait() == 0
    assert (tmp_path / "log").read_text().split() == ["begin", "end"] * 4


def test_pips_settings_reach_uv(monkeypatch, tmp_path):
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nindex-url = https://one.example/simple\nfind-links = /wheels /more\n")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    found = environment._uv_settings([sys.executable, "-m", "pip"])
    assert found["UV_DEFAULT_INDEX"] == "https://one.example/simple"
    assert found["UV_FIND_LINKS"] == "/wheels,/more"


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A project of one module and one small package, so that a real environment takes seconds."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text(
        '[project]\nname = "small"\nversion = "1"\n[tool.setuptools]\npy-modules = ["small"]\n'
    )
    (root / "small.py").write_text("")
    (root / "requirements.lock").write_text("lazy_loader==0.4\n")
    monkeypatch.setattr(environment, "ROOT", root)
    monkeypatch.setattr(environment, "LOCK", root / "requirements.lock")
    probe = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--retries",
        "0",
        "-d",
        str(tmp_path),
        "lazy_loader==0.4",
    ]
    if subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("no package index is in reach")
    return root


def version_in(venv) -> str:
    code = "import small; from importlib.metadata import version; print(version('lazy_loader'))"
    return subprocess.run([environment.python(venv), "-c", code], capture_output=True, text=True).stdout.strip()


def test_an_environment_is_made_mended_and_brought_up_to_date(small, tmp_path):
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)  # what an interrupted set-up left
    environment.ensure(venv)
    assert environment.is_ready(venv)
    assert version_in(venv) == "0.4"
    (small / "requirements.lock").write_text("lazy_loader==0.5\n")
    assert not environment.is_ready(venv)
    threads = [threading.Thread(target=environment.ensure, args=(venv,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert version_in(venv) == "0.5"
    (small / "requirements.lock").write_text("lazy_loader==99\n")
    with pytest.raises(BuildError, match="could not install the packages"):
        environment.ensure(venv)
    assert not environment.is_ready(venv)


def test_the_command_line_names_its_commands_and_refuses_others():
    run = [sys.executable, "-m", "course_build"]
    listed = subprocess.run([*run, "--help"], cwd=ROOT, capture_output=True, text=True).stdout
    assert all(
        re.search(rf"^\s+{name}\s", listed, re.MULTILINE) for name in ("site", "models", "execute", "check", "lab")
    )
    refused = subprocess.run([*run, "nonsense"], cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "invalid choice: 'nonsense'" in refused.stderr


def test_make_alone_lists_the_targets():
    make = shutil.which("make")
    if not make:
        pytest.skip("no make on this machine")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}  # of a make around this
    listed = subprocess.run([make], cwd=ROOT, env=environ, capture_output=True, text=True).stdout
    targets = [line.split()[1] for line in listed.splitlines()]
    assert targets[:5] == ["help", "site", "test", "lab", "execute"]
    assert {"upgrade-report", "clean"} <= set(targets)
