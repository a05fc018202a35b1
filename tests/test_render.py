"""Staging and rendering: what reaches the site, and what happens without Quarto or with one that fails."""

import io
import os
import subprocess
import sys
import urllib.error

import pytest

from course_build import BuildError
from course_build.paths import NOTEBOOKS, ROOT
from course_build.site import render, stage

posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in for a Quarto is a shell script")


def test_the_stage_holds_the_sources_and_nothing_else(tmp_path):
    target = tmp_path / "site"
    target.mkdir()
    (target / "left_over.qmd").write_text("old")
    assert stage.stage(target) == target
    staged = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert {"_quarto.yml", "index.qmd", "styles.css", "notebooks/03_huggingface_nlp.ipynb"} <= staged
    assert "left_over.qmd" not in staged
    assert not [name for name in staged if name.startswith(("models/", "tests/", "README"))]
    assert (target / "notebooks" / "03_huggingface_nlp.ipynb").read_bytes() == (
        NOTEBOOKS / "03_huggingface_nlp.ipynb"
    ).read_bytes()


def test_everything_that_the_site_names_is_staged(tmp_path):
    import yaml

    staged = stage.stage(tmp_path / "site")
    config = yaml.safe_load((ROOT / "_quarto.yml").read_text(encoding="utf-8"))
    for pattern in [*config["project"]["render"], *config["project"]["resources"]]:
        assert list(staged.glob(pattern)), pattern


@pytest.fixture
def quarto(tmp_path, monkeypatch):
    """Put a program called quarto, with the given body, on the PATH."""

    def install(body: str) -> None:
        program = tmp_path / "bin" / "quarto"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)

    return install


@posix
def test_quartos_site_takes_the_place_of_the_old_one(tmp_path, quarto, capsys):
    staged, output = tmp_path / "staged", tmp_path / "_site"
    staged.mkdir()
    output.mkdir()
    (output / "old.html").write_text("old")
    quarto('mkdir "$2/_site" && echo new > "$2/_site/index.html" && echo "WARN: a broken link" >&2')
    render.render(staged, output)
    assert [path.name for path in output.iterdir()] == ["index.html"]
    assert "WARN: a broken link" in capsys.readouterr().out


@posix
def test_a_quarto_that_fails_leaves_the_old_site(tmp_path, quarto):
    staged, output = tmp_path / "staged", tmp_path / "_site"
    staged.mkdir()
    output.mkdir()
    (output / "index.html").write_text("old")
    quarto('echo "ERROR: no such filter" >&2; exit 1')
    with pytest.raises(BuildError, match="no such filter"):
        render.render(staged, output)
    assert (output / "index.html").read_text() == "old"


@posix
def test_a_quarto_that_writes_elsewhere_leaves_the_old_site(tmp_path, quarto):
    staged, output = tmp_path / "staged", tmp_path / "_site"
    staged.mkdir()
    output.mkdir()
    (output / "index.html").write_text("old")
    quarto('mkdir "$2/docs"')
    with pytest.raises(BuildError, match="output-dir"):
        render.render(staged, output)
    assert (output / "index.html").read_text() == "old"


def test_asking_for_a_quarto_that_is_not_there_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "find_quarto", lambda: None)
    with pytest.raises(BuildError, match=r"--renderer preview"):
        render.render(tmp_path, tmp_path / "_site", renderer="quarto")


def test_the_attempt_to_install_quarto_is_made_once(tmp_path, monkeypatch):
    attempts = []
    monkeypatch.setattr(render, "BUILD", tmp_path)
    monkeypatch.setattr(render.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(render.environment, "inside", lambda: True)
    monkeypatch.setattr(render.urllib.request, "urlopen", lambda *_, **__: io.BytesIO())
    said = subprocess.CompletedProcess([], 1, "no such release")
    monkeypatch.setattr(render.progress, "run", lambda command, *_, **__: attempts.append(command) or said)
    assert render.find_quarto(install=False) is None
    assert attempts == []
    assert render.find_quarto() is None
    assert render.find_quarto() is None
    assert len(attempts) == 1
    assert attempts[0][0] == sys.executable
    assert attempts[0][-1] == render.QUARTO
    assert (tmp_path / "quarto-attempt.log").read_text() == "no such release"


def test_where_its_downloads_do_not_answer_quarto_is_not_asked_for(tmp_path, monkeypatch):
    def unreachable(address: str, timeout: float) -> None:
        raise urllib.error.URLError("timed out")

    monkeypatch.setattr(render, "BUILD", tmp_path)
    monkeypatch.setattr(render.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(render.environment, "inside", lambda: True)
    monkeypatch.setattr(render.urllib.request, "urlopen", unreachable)
    monkeypatch.setattr(render.progress, "run", lambda *_, **__: pytest.fail("the installer was started"))
    assert render.find_quarto() is None
    assert "timed out" in (tmp_path / "quarto-attempt.log").read_text()
