"""Setting a checkout up: what counts as stale, and what an interruption leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

import bootstrap
from bootstrap import SetupError, Step, prepare


@pytest.fixture
def step(tmp_path: Path) -> Step:
    source, product = tmp_path / "source", tmp_path / "product"
    source.write_text("one")

    def make() -> None:
        product.write_text(source.read_text())

    return Step("Product", tmp_path / ".stamp", source.read_text, make)


def test_a_step_is_done_once(step: Step, tmp_path: Path) -> None:
    prepare([step])
    (tmp_path / "product").unlink()
    prepare([step])
    assert not (tmp_path / "product").exists()


def test_a_step_is_repeated_when_its_input_changes(step: Step, tmp_path: Path) -> None:
    prepare([step])
    (tmp_path / "source").write_text("two")
    assert not step.is_current()
    prepare([step])
    assert (tmp_path / "product").read_text() == "two"


def test_an_interrupted_step_is_stale_even_when_the_input_goes_back(step: Step, tmp_path: Path) -> None:
    def fail() -> None:
        raise SetupError("killed")

    prepare([step])
    (tmp_path / "source").write_text("two")
    with pytest.raises(SetupError):
        prepare([Step(step.title, step.stamp, step.fingerprint, fail)])
    (tmp_path / "source").write_text("one")
    assert not step.is_current()


def test_a_failed_command_tells_its_last_words() -> None:
    with pytest.raises(SetupError, match="no such luck"):
        bootstrap.run(["sh", "-c", "echo no such luck; exit 3"])


def test_a_home_that_cannot_be_written_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    monkeypatch.setenv("HOME", "/nonexistent")
    assert Path(bootstrap.child_environment()["HOME"]).is_dir()


def test_the_users_own_home_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert bootstrap.child_environment()["HOME"] == str(tmp_path)


def test_a_fingerprint_changes_with_name_and_contents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("x")
    second.write_text("x")
    before = bootstrap.digest(files=[first])
    assert before != bootstrap.digest(files=[second])
    first.write_text("y")
    assert before != bootstrap.digest(files=[first])
