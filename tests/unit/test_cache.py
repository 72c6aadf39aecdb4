"""The cache: whole or absent, and one at a time."""

from pathlib import Path

import pytest

from orchestrator import cache
from orchestrator.cache import Cache
from orchestrator.errors import InfraError
from orchestrator.progress import SILENT


def test_a_directory_that_was_not_finished_does_not_exist(tmp_path: Path) -> None:
    final = tmp_path / "product"
    with pytest.raises(KeyboardInterrupt), cache.new_directory(final) as scratch:
        (scratch / "half").write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_directory_replaces_the_old_one_whole(tmp_path: Path) -> None:
    final = tmp_path / "product"
    for content in ("one", "two"):
        with cache.new_directory(final) as scratch:
            (scratch / content).write_text(content)
    assert [p.name for p in final.iterdir()] == ["two"]


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    cache.write_atomic(path, "old")
    with pytest.raises(InfraError, match="cannot write"):
        cache.write_atomic(tmp_path / "file" / "below", "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_digest_depends_on_each_part_and_their_borders(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("ab")
    assert cache.digest("a", "b") != cache.digest("ab")
    assert cache.digest(file) == cache.digest(b"ab")


def test_a_lock_is_held_against_others(tmp_path: Path) -> None:
    class Heard:
        lines: list[str] = []  # noqa: RUF012

        def note(self, text: str) -> None:
            self.lines.append(text)
            raise InterruptedError

        def advance(self, what: str, done: float, total: float | None) -> None: ...

    store = Cache(tmp_path)
    with store.lock("tree", SILENT), pytest.raises(InterruptedError), store.lock("tree", Heard()):
        raise AssertionError("two holders at once")
    assert Heard.lines == ["waiting for another run that uses tree"]
    with store.lock("tree", SILENT):
        assert (tmp_path / "locks" / "tree").exists()


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WPCI_CACHE", str(tmp_path / "mine"))
    assert Cache.default().root == tmp_path / "mine"
    monkeypatch.delenv("WPCI_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Cache.default().root == tmp_path / "wpci"
