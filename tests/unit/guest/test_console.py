"""Lines from a console that comes in pieces."""

from __future__ import annotations

import itertools
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.guest import console
from orchestrator.parse import printk

TEXT = "Linux version 5.10\r\n[    1.5] Kernel panic - not syncing: naïve →\r\n\r\nend without newline".encode()
LINES = ["Linux version 5.10", "[    1.5] Kernel panic - not syncing: naïve →", "", "end without newline"]


@given(st.lists(st.integers(0, len(TEXT)), max_size=8))
def test_wherever_the_bytes_are_cut_the_lines_are_the_same(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(TEXT)]
    lines = console.Lines()
    found = [line for start, end in itertools.pairwise(at) for line in lines.feed(TEXT[start:end])]
    assert found + lines.close() == LINES


def test_a_line_is_not_given_out_before_it_ends() -> None:
    lines = console.Lines()
    assert lines.feed(b"wpci: rea") == []
    assert lines.feed(b"dy\n") == ["wpci: ready"]
    assert lines.close() == []


@given(st.binary(max_size=100))
def test_no_byte_stops_it(data: bytes) -> None:
    lines = console.Lines()
    assert len(lines.feed(data)) == data.count(b"\n")


def test_a_file_is_followed_from_before_it_exists_to_its_last_unended_line(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    follower = console.Follower(path)
    assert follower.read() == []
    with path.open("wb", buffering=0) as file:
        file.write(b"one\ntw")
        assert follower.read() == ["one"]
        file.write(b"o\nthree")
        assert follower.read() == ["two"]
    assert follower.drain() == ["three"]
    assert follower.size == len(b"one\ntwo\nthree")


def test_of_a_line_without_an_end_both_ends_are_kept() -> None:
    lines = console.Lines()
    for _ in range(64):
        assert lines.feed(b"x" * 65536) == []
        assert len(lines._rest) <= 4 * printk.LONGEST
    (line,) = lines.feed(b"[   12.345678] Kernel panic - not syncing: x\n")
    assert len(line) <= printk.LONGEST
    assert printk.message(line) == "Kernel panic - not syncing: x"


def test_a_line_without_end_takes_no_more_than_its_bound() -> None:
    lines = console.Lines()
    for _ in range(100):
        assert lines.feed(b"x" * 2**16) == []
    (line,) = lines.feed(b"\n")
    assert len(line) <= printk.LONGEST


def test_a_file_is_followed_in_bounded_pieces(tmp_path: Path) -> None:
    (tmp_path / "console").write_bytes(b"y" * 2**10 * 3 * 2**10)
    follower = console.Follower(tmp_path / "console")
    assert follower.read() == [] and follower.size == 2**16
    (line,) = follower.drain()
    assert len(line) <= printk.LONGEST and follower.size == 3 * 2**20
