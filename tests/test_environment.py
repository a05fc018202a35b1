"""The set-up of the environment, and what the files that describe it must have in common.

Environments are real here: made by this course's own code in small checkouts, of packages that take no time. They come
from a folder of wheels, uv's among them, so that no index is asked.
"""

import ast
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from course_build import BuildError
from course_build import __main__ as commands
from course_build.notebooks.fingerprint import MAGIC
from course_build.paths import LOCK, NOTEBOOKS, ROOT
from course_build.setup import environment, installers, lock

BASE = environment.base_interpreter()

# ------------------------------------------------------------------------------------------------ the files agree


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def locked() -> dict[str, list[Requirement]]:
    """The lock's requirements, by layer."""
    return {layer: [Requirement(pin) for pin in lock.pins(layer)] for layer in lock.LAYERS}


def wanted_by(project: dict, layer: str) -> list[Requirement]:
    lines = project["dependencies"] if layer == "learn" else project["optional-dependencies"][layer]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_the_lock_has_a_version_that_the_project_wants_everywhere_in_its_layer_or_before(
    project, locked, python, system
):
    place = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": system}
    place |= {"platform_machine": "x86_64", "os_name": "nt" if system == "win32" else "posix"}
    here = {}
    for layer in lock.LAYERS:
        pinned = [r for r in locked[layer] if r.marker is None or r.marker.evaluate(place)]
        here |= {lock.name_of(str(requirement)): requirement for requirement in pinned}
        for requirement in wanted_by(project, layer):
            if requirement.marker is None or requirement.marker.evaluate(place):
                (pin,) = here[lock.name_of(requirement.name)].specifier
                assert pin.operator == "=="
                assert requirement.specifier.contains(Version(pin.version)), requirement


def test_each_package_stands_in_one_layer_and_all_of_them_are_read(locked):
    names = [{requirement.name for requirement in requirements} for requirements in locked.values()]
    assert sum(map(len, names)) == len(set().union(*names))
    lines = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert sum(len(requirements) for requirements in locked.values()) == len(lines)
    assert {"ray", "pyarrow"} <= names[2], "no learner gets a cluster unasked"
    assert {"playwright", "pytest", "ruff"} <= names[3], "nor a browser"


def test_the_lock_names_no_cuda_package(locked):
    requirements = [requirement for layer in locked.values() for requirement in layer]
    assert not [r.name for r in requirements if lock.CUDA.match(r.name)]
    assert lock.TORCH in map(str, requirements)


def test_a_lock_without_sections_is_what_lessons_need(tmp_path):
    (tmp_path / "lock").write_text("# a comment\n\none==1  # and why\ntwo==2 ; os_name == 'nt'\n", encoding="utf-8")
    assert lock.pins("learn", tmp_path / "lock") == ["one==1", "two==2 ; os_name == 'nt'"]
    assert lock.pins("test", tmp_path / "lock") == []
    with pytest.raises(KeyError):
        lock.pins("nonsense", tmp_path / "lock")


def test_environment_yml_is_the_environment_of_a_learner(project):
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert conda["name"] == environment.CONDA_NAME == "llm-env"
    *plain, pip = conda["dependencies"]
    python = next(part for part in plain if part.startswith("python="))
    assert Requirement(f"python{project['requires-python']}").specifier.contains(python.removeprefix("python=") + ".1")
    assert "-c requirements.lock" in pip["pip"]
    assert "-e .[site]" in pip["pip"]
    assert commands.COMMANDS["lab"][2] == ("learn", "site")
    assert any(part.startswith("quarto") for part in plain)


def test_supported_pythons_are_everywhere_those_of_the_project_file(project):
    """pyproject.toml says which they are. Prose, and what an old Python is told, has to agree with it."""
    wanted = Requirement(f"python{project['requires-python']}").specifier
    pythons = [(3, minor) for minor in range(8, 20) if wanted.contains(f"3.{minor}.0")]
    assert lock.supported_pythons() == pythons
    for page in ("README.md", "index.qmd", "requirements.lock", "course_build/__main__.py"):
        assert lock.in_words(pythons) in (ROOT / page).read_text(encoding="utf-8"), page
    assert f"sys.version_info < {pythons[0]}" in (ROOT / "course_build" / "__main__.py").read_text(encoding="utf-8")
    workflow = (ROOT / ".github/workflows/course.yml").read_text(encoding="utf-8")
    assert {f"{major}.{minor}" for major, minor in pythons} == set(re.findall(r'python(?:-version)?: "(.+)"', workflow))


@pytest.mark.parametrize("layers", [commands.LEARN, commands.RUN])
def test_a_command_can_be_imported_with_the_layers_that_it_wants(layers):
    """Hide what the other layers bring, and import all the commands."""
    others = {lock.name_of(pin) for layer in lock.LAYERS if layer not in layers for pin in lock.pins(layer)}
    owners = importlib.metadata.packages_distributions()
    hidden = [module for module, owned in owners.items() if {lock.name_of(name) for name in owned} <= others]
    assert "pytest" in hidden
    names = [commands.module_name(name) for name, (_, _, wanted) in commands.COMMANDS.items() if wanted == layers]
    code = f"import sys; sys.modules |= dict.fromkeys({hidden}); import {', '.join(names)}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------------------------ what is imported is declared

WITH_SCALE = {"course_utils/classifier/on_ray.py", "course_utils/files/csv_json_parquet.py"}
"""Modules of the learner's package that import the `scale` layer, when they are asked for what needs it."""

OWN = {"course_build", "course_utils", *(path.stem for path in (ROOT / "tests").iterdir())}


def imported(code: str) -> set[str]:
    """Return the names that code imports, wherever in it, but for those that a type checker alone reads."""
    names: set[str] = set()
    nodes: list[ast.AST] = [ast.parse(code)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        checked = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        nodes += node.orelse if checked else ast.iter_child_nodes(node)
    return names


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """What each file imports, by its path in the checkout: the two packages, tests, benchmarks and lessons."""
    folders = ("course_build", "course_utils", "tests", "benchmarks")
    codes = {path: path.read_text(encoding="utf-8") for each in folders for path in (ROOT / each).rglob("*.py")}
    for path in NOTEBOOKS.glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        codes[path] = "\n".join(MAGIC.sub(r"\1pass  # \2", source) for source in sources)
    return {path.relative_to(ROOT).as_posix(): imported(code) for path, code in codes.items()}


@pytest.fixture(scope="module")
def layers(imports) -> dict[str, set[str]]:
    """The layers that each file can count on: a module of `course_build`, on those of every command that reaches it."""
    rooms = {"course_build": commands.ALL, "tests": commands.ALL, "benchmarks": commands.RUN}
    found = {path: set(rooms.get(path.partition("/")[0], ["learn"])) for path in imports}
    for path in WITH_SCALE:
        found[path].add("scale")
    files = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in imports}
    for module, _, wanted in commands.COMMANDS.values():
        names, seen = [module], set()
        while names:
            if (path := files.get(names.pop(), "")).startswith("course_build/") and path not in seen:
                seen.add(path)
                names += imports[path]
        assert seen, f"there is no module {module}"
        for path in seen:
            found[path] &= set(wanted or ())
    return found


def test_what_is_imported_is_declared_in_a_layer_that_is_there(project, imports, layers):
    declared = {lock.name_of(each.name): layer for layer in lock.LAYERS for each in wanted_by(project, layer)}
    owners = importlib.metadata.packages_distributions()
    missing = []
    for path, names in imports.items():
        for module in {name.partition(".")[0] for name in names} - OWN - sys.stdlib_module_names:
            packages = [lock.name_of(owner) for owner in owners[module]]
            if not any(declared.get(package) in layers[path] for package in packages):
                missing.append(f"{path} needs {' or '.join(packages)} in {sorted(layers[path])}")
    assert not missing


# ------------------------------------------------------------------------------------------------ small checkouts

BACKEND = """
import zipfile
from pathlib import Path

def get_requires_for_build_editable(settings=None):
    return []

def build_editable(folder, settings=None, metadata=None):
    name = "llms_hands_on-1.0"
    with zipfile.ZipFile(Path(folder) / f"{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("llms_hands_on.pth", str(Path.cwd()))
        wheel.writestr(f"{name}.dist-info/METADATA", "Metadata-Version: 2.1\\nName: llms-hands-on\\nVersion: 1.0\\n")
        wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")
    return f"{name}-py3-none-any.whl"
"""

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "llms-hands-on"
version = "1.0"
requires-python = ">=3.11,<3.14"
dependencies = ["leaf"]
optional-dependencies.site = ["twig"]
optional-dependencies.scale = ["fruit"]
optional-dependencies.test = ["fruit"]
[tool.setuptools]
packages = ["course_build", "course_utils"]
"""

PINS = "# --- learn: this\nleaf==1.0\n# --- site: that\ntwig==1.0\n# --- test: and more\nfruit==1.0\n"

TORCH = dict.fromkeys(
    ("torch/__init__.py", "torch/bin/test_api", "torch/bin/torch_shm_manager", "torch/test/native"), ""
)

COMMAND = """
import sys, leaf, twig
def add_arguments(parser): parser.add_argument("words", nargs="*")
def run(arguments): print("inside", sys.prefix)
"""


def write_wheel(folder: Path, name: str, version: str, metadata: str = "", files: dict[str, str] | None = None) -> None:
    """Write a package: of one empty module, unless its files are given."""
    info = f"{name}-{version}.dist-info"
    files = files or {f"{name}.py": ""}
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in files))


def write_wheel_of_uv(folder: Path) -> None:
    """Write the wheel that the uv of this environment was installed from."""
    try:
        uv = importlib.metadata.distribution("uv")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("this environment has no uv")
    tag = re.search(r"^Tag: (.+)$", uv.read_text("WHEEL"), re.MULTILINE)[1]
    with zipfile.ZipFile(folder / f"uv-{uv.version}-{tag}.whl", "w") as wheel:
        for file in uv.files:
            script = file.parts[-2] in ("bin", "Scripts")
            if file.name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json") or "__pycache__" in file.parts:
                continue
            wheel.write(file.locate(), f"uv-{uv.version}.data/scripts/{file.name}" if script else str(file))
        wheel.writestr(f"uv-{uv.version}.dist-info/RECORD", "")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> tuple[Path, Path]:
    """Two folders of wheels: the small packages, and uv."""
    packages, of_uv = tmp_path_factory.mktemp("packages"), tmp_path_factory.mktemp("uv")
    for name, version in [("leaf", "1.0"), ("leaf", "2.0"), ("twig", "1.0"), ("fruit", "1.0")]:
        write_wheel(packages, name, version)
    write_wheel(packages, "torch", "2.0+cpu", files=TORCH)
    write_wheel_of_uv(of_uv)
    return packages, of_uv


class Checkout:
    """A small checkout, and a home whose pip knows the folders of wheels and no index."""

    def __init__(self, folder: Path, home: Path, find_links: list[Path]) -> None:
        self.folder, self.home = folder, home
        package = folder / "course_build"
        shutil.copytree(
            ROOT / "course_build" / "setup", package / "setup", ignore=shutil.ignore_patterns("__pycache__")
        )
        for name in ("__init__", "__main__", "foreground", "paths", "progress"):
            shutil.copyfile(ROOT / "course_build" / f"{name}.py", package / f"{name}.py")
        (package / "lessons").mkdir()
        (package / "lessons" / "syllabus.py").write_text(COMMAND)
        (folder / "course_utils").mkdir()
        (folder / "course_utils" / "__init__.py").write_text("")
        (folder / "backend.py").write_text(BACKEND)
        (folder / "pyproject.toml").write_text(PROJECT)
        (folder / "_quarto.yml").write_text("")  # which tells a checkout from an installed package
        self.lock = folder / "requirements.lock"
        self.lock.write_text(PINS)
        self.settings = home / ("AppData/pip/pip.ini" if os.name == "nt" else ".config/pip/pip.conf")
        self.settings.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"\n    {place}" for place in find_links)  # a line each, as pip documents it
        self.settings.write_text(f"[global]\nno-index = true\nfind-links ={lines}\n")

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"

    @property
    def stamp(self) -> dict:
        return json.loads((self.venv / "course.json").read_text(encoding="utf-8"))

    def start(self, *command: str, python: str | Path = BASE, **environ: str) -> subprocess.Popen:
        theirs = re.compile(r"PIP_|UV_|CONDA_|PYTHON|COURSE_|XDG_|VIRTUAL_ENV")
        bare = {key: value for key, value in os.environ.items() if not theirs.match(key)}
        bare |= {
            "HOME": str(self.home),
            "APPDATA": str(self.home / "AppData"),
            "USERPROFILE": str(self.home),
            **environ,
        }
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([python, *command], cwd=self.folder, env=bare, **pipes)

    def run(self, *command: str, python: str | Path = BASE, **environ: str) -> tuple[int, str, str]:
        """Run a command of the course; return its exit status, its output and its notices."""
        process = self.start("-m", "course_build", *command, python=python, **environ)
        said, notices = process.communicate()
        return process.returncode, said, notices

    def ensure(self, *layers: str, **environ: str) -> subprocess.Popen:
        code = f"from course_build.setup import environment; environment.ensure({layers})"
        return self.start("-c", code, **environ)

    def versions(self) -> dict[str, str]:
        """What is installed of the small packages."""
        found = dict(environment._installed(self.venv))
        return {name: found[name] for name in ("leaf", "twig", "fruit") if name in found}


def finish(process: subprocess.Popen) -> str:
    """Wait for a process that must not fail; return its notices."""
    _, notices = process.communicate()
    assert process.returncode == 0, notices
    return notices


@pytest.fixture
def checkout(tmp_path, wheels) -> Checkout:
    return Checkout(tmp_path / "p#1 [b]", tmp_path / "home", list(wheels))


def test_the_life_of_an_environment(checkout, tmp_path):
    """In a folder with a name that means something to pip and to uv, among settings that lead elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    with checkout.settings.open("a") as settings:
        settings.write(f"require-hashes = true\n[install]\nuser = true\ntarget = {elsewhere}\n")
    uv = checkout.home / ("AppData/uv/uv.toml" if os.name == "nt" else ".config/uv/uv.toml")
    uv.parent.mkdir(parents=True)
    uv.write_text(f'no-build = true\n[pip]\nsystem = true\nrequire-hashes = true\ntarget = "{elsewhere.as_posix()}"\n')
    hostile = dict.fromkeys(
        ("PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT", "UV_PROJECT_ENVIRONMENT", "UV_CONSTRAINT", "PYTHONUSERBASE"),
        str(elsewhere),
    )
    flags = ("PIP_REQUIRE_VIRTUALENV", "PIP_NO_DEPS", "UV_SYSTEM_PYTHON", "UV_NO_BUILD", "UV_REQUIRE_HASHES")
    hostile |= {**dict.fromkeys(flags, "1"), "PIP_ONLY_BINARY": ":all:", "PIP_QUIET": "3", "UV_PYTHON": "2.7"}

    # To resolve, uv alone is needed; the versions stay, and each package stands in the first layer that needs it.
    status, said, notices = checkout.run("lock", **hostile)
    assert (status, said) == (0, "lock: 3 packages\n"), notices
    assert checkout.versions() == {}
    layers = {layer: lock.pins(layer, checkout.lock) for layer in lock.LAYERS}
    assert layers == {"learn": ["leaf==1.0"], "site": ["twig==1.0"], "scale": ["fruit==1.0"], "test": []}
    checkout.lock.write_text(PINS)

    # A layer is added when it is asked for, and nothing is anywhere else.
    notices = finish(checkout.ensure("learn", **hostile))
    assert "installing learn (1 package, " in notices
    assert "on disk" in notices
    assert checkout.versions() == {"leaf": "1.0"}
    assert list(checkout.stamp["layers"]) == ["learn"]
    assert not elsewhere.exists()
    assert (checkout.venv / "pyvenv.cfg").exists()

    # A command adds what it wants, in a line to stderr, and runs inside.
    status, said, notices = checkout.run("syllabus", **hostile)
    assert (status, said) == (0, f"inside {checkout.venv}\n")
    assert "adding site (1 package, " in notices
    assert checkout.versions() == {"leaf": "1.0", "twig": "1.0"}

    # What isn't installed doesn't count, and what is ready is left alone, without a word.
    before = (checkout.venv / "course.json").read_bytes()
    for name in ("pyproject.toml", "requirements.lock"):
        path = checkout.folder / name
        path.write_text(f"# a remark\n{path.read_text()}\n\n# another one\n")
    (checkout.folder / "pyproject.toml").write_text(
        (checkout.folder / "pyproject.toml").read_text() + "[tool.x]\ny=1\n"
    )
    assert checkout.run("syllabus") == (0, f"inside {checkout.venv}\n", "")
    assert checkout.run("syllabus", python=environment.python(checkout.venv))[2] == ""
    assert (checkout.venv / "course.json").read_bytes() == before

    # Its own interpreter says when it is older than the lock, and goes on.
    checkout.lock.write_text(PINS.replace("leaf==1.0", "leaf==2.0"))
    status, said, notices = checkout.run("syllabus", python=environment.python(checkout.venv))
    assert (status, said) == (0, f"inside {checkout.venv}\n")
    assert "is older than the lock" in notices

    # Two at once bring it up to date, and the layer that neither asks for stays.
    both = [checkout.ensure("learn") for _ in range(2)]
    assert sum("updating learn (1 package, " in finish(process) for process in both) == 1
    assert checkout.versions() == {"leaf": "2.0", "twig": "1.0"}
    assert set(checkout.stamp["layers"]) == {"learn", "site"}

    # A package that somebody removed comes back, whichever interpreter is asked; but not in the middle of a command.
    own = environment.python(checkout.venv)
    for python in (BASE, own):
        shutil.rmtree(environment.site_packages(checkout.venv) / "twig-1.0.dist-info")
        status, _, notices = checkout.run("syllabus", python=own, **{commands.ENTERED: "1"})
        assert status == 1
        assert re.search(r"`syllabus` needs packages that this Python \(.*\) doesn't have: twig\.\n", notices)
        assert '-m pip install -c requirements.lock -e ".[site]"' in notices
        assert checkout.run("syllabus", python=python)[0] == 0
        assert checkout.versions() == {"leaf": "2.0", "twig": "1.0"}

    # What can't be had, or can't be imported, is a sentence, and not in the stamp.
    checkout.lock.write_text(PINS.replace("leaf==1.0", "leaf==99"))
    status, _, notices = checkout.run("syllabus")
    assert status == 1
    assert "uv can't do it (" in notices
    assert "could not install the packages: " in notices
    assert "Traceback" not in notices
    checkout.lock.write_text(PINS)
    (checkout.folder / "course_utils" / "__init__.py").write_text("raise ImportError('no such library')")
    status, _, notices = checkout.run("syllabus")
    assert status == 1
    assert "can't be imported: ImportError: no such library" in notices
    assert list(checkout.stamp["layers"]) == ["site"]
    (checkout.folder / "course_utils" / "__init__.py").write_text("")

    # In another place it is made anew, with nothing of the old one in it.
    (checkout.venv / "remains").write_text("")
    moved = checkout.folder.rename(tmp_path / "moved")
    checkout.folder = moved
    status, said, notices = checkout.run("syllabus")
    assert (status, said) == (0, f"inside {moved / '.venv'}\n")
    assert ".venv was made in " in notices
    assert "it is made anew" in notices
    assert not (checkout.venv / "remains").exists()
    assert "p#1" not in (checkout.venv / "pyvenv.cfg").read_text()


def test_where_there_is_no_uv_pip_goes_on_where_a_set_up_was_interrupted(tmp_path, wheels):
    checkout = Checkout(tmp_path / "checkout", tmp_path / "home", [wheels[0]])
    checkout.lock.write_text(f"torch==2.0\n{PINS}")
    checkout.venv.mkdir()
    (checkout.venv / "half").write_text("made")
    (checkout.venv / "course.json").write_text(json.dumps({"python": environment.this_python()}))
    status, said, notices = checkout.run("syllabus", COURSE_TORCH="cpu")
    assert (status, said) == (0, f"inside {checkout.venv}\n"), notices
    assert re.search(r"uv can't do it \(No matching distribution found for uv==.*\); pip takes over", notices)
    assert checkout.versions() == {"leaf": "1.0", "twig": "1.0"}
    assert not (checkout.venv / "half").exists()
    there = environment.site_packages(checkout.venv) / "torch"
    assert (there / "bin" / "torch_shm_manager").exists()
    assert not (there / "bin" / "test_api").exists(), "its own tests, 120 MB of the real one, are gone"
    assert not (there / "test").exists()


@pytest.mark.parametrize("content", [{"pyvenv.cfg": "home = /usr/bin\n", "notes.txt": "mine"}, "a file"])
def test_an_environment_that_is_not_ours_is_never_touched(checkout, content):
    if isinstance(content, dict):
        checkout.venv.mkdir()
        for name, text in content.items():
            (checkout.venv / name).write_text(text)
    else:
        checkout.venv.write_text(content)
    status, _, notices = checkout.run("syllabus")
    assert status == 1
    assert "wasn't made by the course, so it stays as it is" in notices
    if isinstance(content, dict):
        assert {path.name: path.read_text() for path in checkout.venv.iterdir()} == content
    else:
        assert checkout.venv.read_text() == content


def test_a_conda_environment_that_lacks_something_is_told_the_command(checkout):
    status, _, notices = checkout.run("syllabus", CONDA_DEFAULT_ENV="llm-env")
    assert status == 1
    assert "leaf, twig, llms-hands-on." in notices
    assert '-m pip install -c requirements.lock -e ".[site]"' in notices
    assert "Traceback" not in notices
    assert not checkout.venv.exists()


def test_a_package_that_a_command_misses_after_all_is_a_sentence(checkout):
    (checkout.folder / "course_build" / "clean.py").write_text("import a_missing_package")
    status, _, notices = checkout.run("clean")
    assert status == 1
    assert "has no package a_missing_package" in notices
    assert not checkout.venv.exists(), "and what needs no environment makes none"


@pytest.mark.skipif(os.name == "nt", reason="no folder of Windows has a colon in its name")
def test_python_s_own_reason_is_shown_when_it_makes_no_environment(tmp_path):
    checkout = Checkout(tmp_path / "a:b", tmp_path / "home", [])
    status, _, notices = checkout.run("syllabus")
    assert status == 1
    assert "PATH separator" in notices
    assert "apt install" not in notices


@pytest.mark.skipif(os.name == "nt", reason="Debian takes ensurepip out of Python, nobody else does")
def test_debian_s_package_is_named_where_that_is_what_is_missing(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ensurepip is not available' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(environment, "base_interpreter", lambda: str(python))
    with pytest.raises(BuildError, match=r"It says:\nensurepip is not available\n.*apt install python3-venv"):
        environment._prepare(tmp_path / ".venv")


# ------------------------------------------------------------------------------------------------ parts of it


def test_another_python_or_another_place_is_a_mismatch(tmp_path):
    venv = tmp_path / ".venv"
    environment.python(venv).parent.mkdir(parents=True)
    environment.python(venv).write_text("")
    good = {"python": environment.this_python(), "place": str(venv)}
    assert environment.find_mismatch(good, venv) is None
    other = good["python"].replace("Python 3.", "Python 3.9")
    assert re.match(
        "was made by Python 3.9.*, and this is Python 3.", environment.find_mismatch({**good, "python": other}, venv)
    )
    assert environment.find_mismatch({**good, "place": "/old/.venv"}, venv) == f"was made in {Path('/old')}"
    assert "an earlier version" in environment.find_mismatch({"fingerprint": "", "python": "3.11.7"}, venv)
    environment.python(venv).unlink()
    assert environment.find_mismatch(good, venv) == "has no Python that runs"


def test_an_old_python_is_told_which_one_to_get(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    with pytest.raises(BuildError, match=r"this is Python 3\.10.*make site PYTHON="):
        environment.ensure(("learn",), tmp_path / "venv")


def test_a_wish_for_torch_that_nobody_knows_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_TORCH", "gpu")
    with pytest.raises(BuildError, match="COURSE_TORCH is 'gpu'; it can be cpu, default"):
        environment.ensure(("learn",), tmp_path / "venv")


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "a-file").write_text("")
    with pytest.raises(BuildError, match="could not be written"):
        environment.ensure(("learn",), tmp_path / "a-file" / "venv")


def test_set_ups_at_once_wait_for_each_other_and_say_so(tmp_path):
    """Several processes write their begin and end into one file: under the lock no two overlap."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom course_build.setup.environment import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n"
        "    for word in ('begin', 'end'):\n"
        "        with open(sys.argv[2], 'a') as log: log.write(word + '\\n')\n"
        "        time.sleep(0.2)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock"), str(tmp_path / "log")]
    with environment.exclusive(tmp_path / "lock"):
        waiting = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        assert waiting.stderr.readline() == "environment: another set-up is at work; waiting for it\n"
        assert not (tmp_path / "log").exists()
    for process in [waiting, *(subprocess.Popen(command, cwd=ROOT) for _ in range(3))]:
        assert process.wait() == 0
    assert (tmp_path / "log").read_text().split() == ["begin", "end"] * 4
    waiting.stderr.close()


# ------------------------------------------------------------------------------------------------ CUDA, and how much

CUDA_TORCH = installers.Plan(
    (
        installers.Package("leaf", "1.0", 1e8),
        installers.Package("torch", "2.13.0", 5e8),
        installers.Package("nvidia-cublas", "13.1", 4e8),
    )
)


class FakeInstaller:
    """What would install: a plan for each set of options."""

    without_cuda = ("--without",)

    def __init__(self, other: installers.Plan | None) -> None:
        self.other, self.asked = other, []

    def plan(self, wanted, options=()):
        self.asked.append(options)
        return self.other, None if self.other else "no such index"


@pytest.fixture
def on_linux(monkeypatch):
    monkeypatch.setattr(environment.platform, "system", lambda: "Linux")
    monkeypatch.delenv("COURSE_TORCH", raising=False)


def test_cuda_is_gone_round_where_that_can_be(on_linux, monkeypatch):
    plain = installers.Plan((installers.Package("torch", "2.13.0+cpu", 2e8),), ("--without",))
    there = {("torch", "2.13.0")}
    assert environment._without_cuda(CUDA_TORCH, FakeInstaller(plain), [], set()) == plain
    assert environment._without_cuda(CUDA_TORCH, FakeInstaller(None), [], set()) == CUDA_TORCH
    assert environment._without_cuda(CUDA_TORCH, FakeInstaller(CUDA_TORCH), [], set()) == CUDA_TORCH
    for plan, had in ((plain, set()), (CUDA_TORCH, there | {("nvidia-cublas", "13.1")})):
        untouched = FakeInstaller(plain)
        assert environment._without_cuda(plan, untouched, [], had) == plan
        assert untouched.asked == [], "nothing of CUDA is to be fetched"
    monkeypatch.setenv("COURSE_TORCH", "cpu")
    assert environment._without_cuda(CUDA_TORCH, FakeInstaller(plain), [], set()) == plain
    with pytest.raises(BuildError, match=r"COURSE_TORCH=cpu asks for torch without CUDA.*COURSE_TORCH=default"):
        environment._without_cuda(CUDA_TORCH, FakeInstaller(None), [], set())
    monkeypatch.setenv("COURSE_TORCH", "default")
    assert environment._without_cuda(CUDA_TORCH, FakeInstaller(plain), [], set()) == CUDA_TORCH


def test_what_will_come_is_said_and_asked_for_before_it_is_fetched(on_linux, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9e9, 7e9, 2e9))
    environment._announce(CUDA_TORCH, ("learn", "site"), {}, tmp_path)
    said = capsys.readouterr().err
    assert "installing learn and site (3 packages, about 1.9 GB on disk, 1.0 GB to fetch" in said
    assert re.search("torch comes with CUDA here.*COURSE_TORCH=cpu refuses.*COURSE_TORCH=default takes", said)
    monkeypatch.setenv("COURSE_TORCH", "default")
    environment._announce(CUDA_TORCH, ("learn",), {"layers": {"site": ""}}, tmp_path)
    said = capsys.readouterr().err
    assert "adding learn (3 packages" in said
    assert "CUDA" not in said
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9e9, 8e9, 1e9))
    with pytest.raises(BuildError, match=r"need about 1\.9 GB, and this disk has 1\.0 GB left"):
        environment._announce(CUDA_TORCH, ("learn",), {}, tmp_path)


def test_cuda_s_packages_and_their_sizes_are_found_in_an_index(tmp_path, monkeypatch):
    """By uv and by pip, in a folder that has torch once with CUDA, and then without as well."""
    pytest.importorskip("uv")
    packages = tmp_path / "packages"
    packages.mkdir()
    write_wheel(packages, "torch", "7.0", metadata="Requires-Dist: nvidia_cublas\n")
    write_wheel(packages, "nvidia_cublas", "13.1", files={"cublas.py": "#" * 1_000_000})
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_"))}
    environ |= {"UV_NO_CONFIG": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(packages)}
    environ |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(packages)}
    monkeypatch.setattr(installers, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(installers, "ROOT", tmp_path)
    monkeypatch.setattr(installers.platform, "system", lambda: "Linux")
    (tmp_path / "lock").write_text("torch==7.0\n")
    both = [kind(tmp_path, Path(sys.executable), environ) for kind in (installers.Uv, installers.Pip)]
    for installer in both:
        plan, problem = installer.plan(["torch==7.0"])
        assert problem is None
        assert plan.has_cuda
        assert plan.sizes()[0] > 1_000_000
        assert plan.without({("torch", "7.0")}).has_cuda
    write_wheel(packages, "torch", "7.0+cpu")
    for installer in both:
        plan, problem = installer.plan(["torch==7.0"])
        assert not plan.has_cuda
    (tmp_path / "lock").write_text("torch==8.0\n")
    for installer in both[:1]:
        plan, problem = installer.plan(["torch==8.0"])
        assert plan is None
        assert "torch" in problem


# ------------------------------------------------------------------------------------------------ the command line


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
