"""`check_environment`: it finds what is missing, too old, too new or broken, says what mends it, and never raises."""

import os
import re
import subprocess
import sys
import zipfile

import pytest
from packaging.requirements import Requirement

from course_build.check import nbval_command
from course_build.paths import NOTEBOOKS, ROOT
from course_build.setup import installers, lock
from course_utils import check_environment as environment
from course_utils.check_environment import Finding, Report, check_environment


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Install small packages, with real metadata, where this interpreter finds them."""

    def install(name: str, version: str, code: str = "") -> None:
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")

    monkeypatch.syspath_prepend(tmp_path)
    return install


def needs(monkeypatch, *lines: str) -> dict[str, Finding]:
    wanted = [Requirement(line) for line in lines]
    monkeypatch.setattr(environment, "_requirements", lambda layer="": [] if layer else wanted)
    return {finding.name: finding for finding in check_environment().findings}


def test_this_environment_is_fine_and_every_dependency_is_looked_at():
    report = check_environment()
    assert report.ok, report
    assert repr(report).endswith("All is well: you can begin.")
    names = {finding.name for finding in report.findings}
    assert {"python", "torch", "transformers", "jupyterlab", "threads", "memory", "accelerator", "models"} <= names


def test_what_is_wrong_is_told_with_the_command_that_mends_it(packages, monkeypatch):
    packages("course_fine", "2.1")
    packages("course_old", "1.0")
    packages("course_new", "7.0")
    packages("course_broken", "1.0", "raise ImportError('DLL load failed')")
    packages("course_exits", "1.0", "import sys; sys.exit(3)")
    found = needs(
        monkeypatch,
        *("course_fine>=2", "course_old>=2", "course_new<6", "course_broken", "course_exits", "course_missing>=3"),
    )
    assert found["course_fine"].problem is None
    assert found["course_old"].problem == "too old"
    assert found["course_old"].mend == "python -m pip install -c requirements.lock course_old"
    assert found["course_new"].problem == "too new"
    assert found["course_missing"].problem == "missing"
    assert found["course_missing"].mend == "python -m pip install -c requirements.lock course_missing"
    assert "ImportError: DLL load failed" in found["course_broken"].problem
    assert "--force-reinstall --no-deps course_broken" in found["course_broken"].mend
    assert "SystemExit" in found["course_exits"].problem


def test_the_report_names_every_problem_and_its_remedy(packages, monkeypatch):
    packages("course_old", "1.0")
    needs(monkeypatch, "course_old>=2", "course_missing")
    text = repr(check_environment())
    assert "2 to mend: course_old, course_missing." in text
    assert text.count("python -m pip install -c requirements.lock course_") == 2
    assert text.endswith(f"\n\n{environment.WHERE}")


def test_a_mend_installs_the_version_of_the_lock_and_not_the_newest(packages, monkeypatch, tmp_path):
    """pip itself is asked what it would do, with three releases to choose from and a lock that names the second."""
    for version in ("1.0", "2.1", "3.0"):
        with zipfile.ZipFile(tmp_path / f"course_old-{version}-py3-none-any.whl", "w") as wheel:
            info = f"course_old-{version}.dist-info"
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: course_old\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    (tmp_path / environment.LOCK).write_text("course_old==2.1\n", encoding="utf-8")
    packages("course_old", "1.0", "raise ImportError('broken')")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PYTHONPATH": str(tmp_path), "PATH": ""}
    for wanted in ("course_old>=2", "course_old"):  # too old; and broken
        python, *command = needs(monkeypatch, wanted)["course_old"].mend.split()
        assert python == "python"
        command = [sys.executable, *command, "--dry-run", "--disable-pip-version-check"]
        done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **offline}, capture_output=True, text=True)
        assert "Would install course_old-2.1\n" in done.stdout.replace("-old", "_old"), done.stdout + done.stderr


def test_every_package_that_a_report_may_name_is_in_the_lock():
    """So that `-c requirements.lock` settles its version; and torch comes from where the set-up takes it."""
    locked = {lock.name_of(pin) for pin in lock.pins("learn", ROOT / environment.LOCK)}
    assert {lock.name_of(requirement.name) for requirement in environment._requirements()} <= locked
    assert environment.TORCH_INDEX == installers.TORCH_INDEX


@pytest.mark.parametrize(("platform", "index"), [("linux", True), ("darwin", False), ("win32", False)])
def test_linux_mends_torch_without_cuda(monkeypatch, platform, index):
    monkeypatch.setattr(sys, "platform", platform)
    assert (environment.TORCH_INDEX in environment._install_package("torch")) == index
    assert environment.TORCH_INDEX not in environment._install_package("emoji")


def test_the_other_layers_are_a_line_each_and_no_problem(monkeypatch):
    """And the lesson's saved table, as nbval compares it, is that of a learner and of a maintainer alike."""
    rules = (ROOT / "tests" / "nbval_sanitize.cfg").read_text(encoding="utf-8")
    pattern = re.compile(re.search(r"\[environment\]\nregex: (.+)", rules)[1])
    layers = [name for name in lock.LAYERS if name != "learn"]
    assert list(environment.LAYERS) == layers
    for layer in layers:
        assert {requirement.name for requirement in environment._requirements(layer)}, "the metadata has it as an extra"
    maintainer = check_environment()
    monkeypatch.setattr(environment, "_is_installed", lambda name: name not in ("pyarrow", "pytest"))
    learner = check_environment()
    assert learner.ok, learner
    found = {finding.name: finding.found for finding in learner.findings}
    assert found["site"] == "installed"
    assert re.fullmatch(
        r'not installed; the last section of lesson 8 .*: python -m pip .* -e "\.\[scale\]"', found["scale"]
    )
    assert "not installed" in found["test"]
    assert pattern.sub(r"\1", repr(learner)) == pattern.sub(r"\1", repr(maintainer))


@pytest.mark.parametrize(
    ("platform", "active", "python"), [("win32", "", "py"), ("win32", "1", "python"), ("darwin", "", "python")]
)
def test_the_command_is_the_one_of_the_system(monkeypatch, platform, active, python):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("VIRTUAL_ENV", active)
    monkeypatch.setenv("CONDA_PREFIX", "")
    assert environment._install_package("emoji") == f"{python} -m pip install -c requirements.lock emoji"


@pytest.mark.parametrize(
    ("version", "problem"), [((3, 10), "too old"), ((3, 12), None), ((3, 14), "newer than what is tested")]
)
def test_python_itself(monkeypatch, version, problem):
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    finding = environment._check_python()
    assert finding.problem == problem
    assert bool(finding.mend) == bool(problem)


@pytest.mark.parametrize(
    ("platform", "conda", "mend"),
    [
        ("linux", "", "make lab PYTHON=python3.12"),
        ("win32", "", "py -3.12 -m course_build lab"),
        ("linux", "/envs/llm-env", "conda env create -f environment.yml"),
    ],
)
def test_another_python_makes_the_whole_environment(monkeypatch, platform, conda, mend):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("CONDA_PREFIX", conda)
    assert environment._make_with("3.12") == mend


@pytest.mark.parametrize("name", ["_check_memory", "_check_disk", "_check_models", "_check_threads", "_check_python"])
def test_a_check_that_fails_is_a_finding(monkeypatch, name):
    def fails():
        raise OSError("no such device")

    fails.__name__ = name
    monkeypatch.setattr(environment, name, fails)
    (finding,) = [finding for finding in check_environment().findings if finding.found == "unknown"]
    assert "OSError: no such device" in finding.problem


def test_models_that_are_not_prepared_are_told(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_MODELS_DIR", str(tmp_path))
    finding = environment._check_models()
    assert re.fullmatch(rf"0 of \d+ in {tmp_path.name}/", finding.found)
    assert finding.mend == "python -m course_build models"


def test_a_setting_that_is_none_is_told_with_what_unsets_it(monkeypatch):
    monkeypatch.setenv("COURSE_MODELS", "foo")
    (finding,) = check_environment().problems
    assert finding.problem.startswith("COURSE_MODELS is 'foo'")
    assert finding.mend.startswith("unset COURSE_MODELS ")
    monkeypatch.setattr(sys, "platform", "win32")
    (finding,) = check_environment().problems
    assert finding.mend.startswith("Remove-Item Env:COURSE_MODELS ")
    monkeypatch.delenv("COURSE_MODELS")
    assert check_environment().ok


def test_the_sanitiser_forgets_the_machine_and_keeps_a_problem():
    """The rule that nbval applies to the table cuts the last column of the lines that are fine, and only of those."""
    assert any(part.endswith("nbval_sanitize.cfg") for part in nbval_command(NOTEBOOKS))
    rules = (ROOT / "tests" / "nbval_sanitize.cfg").read_text(encoding="utf-8")
    pattern = re.compile(re.search(r"\[environment\]\nregex: (.+)", rules)[1])

    def shown(version: str, problem: str | None) -> str:
        findings = (Finding("numpy", ">=2.0", version, problem, "mend it"), Finding("free disk", "2 GiB", "7 GiB"))
        return pattern.sub(r"\1", repr(Report(findings)))

    assert shown("2.4.6", None) == shown("2.5.0+local", None)
    assert shown("2.4.6", None) != shown("1.9", "too old")
    assert "1.9" in shown("1.9", "too old")
