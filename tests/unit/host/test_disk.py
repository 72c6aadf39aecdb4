"""Files and folders that are whole or absent."""

from pathlib import Path

import pytest

from orchestrator.errors import InfraError
from orchestrator.host import disk


def test_a_directory_that_was_not_finished_does_not_exist(tmp_path: Path) -> None:
    final = tmp_path / "product"
    with pytest.raises(KeyboardInterrupt), disk.new_directory(final) as scratch:
        (scratch / "half").write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_directory_replaces_the_old_one_whole(tmp_path: Path) -> None:
    final = tmp_path / "product"
    for content in ("one", "two"):
        with disk.new_directory(final) as scratch:
            (scratch / content).write_text(content)
    assert [p.name for p in final.iterdir()] == ["two"]


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    disk.write_atomic(path, "old")
    with pytest.raises(InfraError, match="cannot write"):
        disk.write_atomic(tmp_path / "file" / "below", "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
