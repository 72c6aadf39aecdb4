"""namesakes.stamp: which headers of one name a tree has, and nothing else of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.kbuild import namesakes


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("include/linux/mm.h", "include/linux/x.h", "include/uapi/linux/x.h", "mm/a.c", "fs/a.c"):
        _add(tmp_path, name)
    return tmp_path


def _add(tree: Path, name: str) -> None:
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).touch()


@pytest.mark.parametrize("name", ["mm/x.h", "include/uapi/linux/mm.h"])
def test_another_header_of_a_name_that_is_there_counts(tree: Path, name: str) -> None:
    before = namesakes.stamp(tree)
    _add(tree, name)
    assert namesakes.stamp(tree) != before


@pytest.mark.parametrize("name", ["include/linux/new.h", "mm/mm.c", ".git/mm.h"])
def test_what_takes_no_headers_place_does_not_count(tree: Path, name: str) -> None:
    before = namesakes.stamp(tree)
    _add(tree, name)
    assert namesakes.stamp(tree) == before


def test_a_header_that_moves_counts_and_what_is_in_it_does_not(tree: Path) -> None:
    before = namesakes.stamp(tree)
    (tree / "include/linux/x.h").write_text("#define X\n")
    assert namesakes.stamp(tree) == before
    (tree / "include/linux/x.h").rename(tree / "include/x.h")
    assert namesakes.stamp(tree) != before
