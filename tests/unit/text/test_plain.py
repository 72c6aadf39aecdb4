"""Text of others → text in which nothing acts unseen."""

import codecs
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.text import plain


def test_what_acts_unseen_is_seen() -> None:
    assert (
        plain.visible("a\x1b[31m\x00\x7f\u202e\u200b\ud800é\n\tß") == "a\\x1b[31m\\x00\\x7f\\u202e\\u200b\\ud800é\n\tß"
    )


@given(st.text())
def test_nothing_that_acts_unseen_is_left_in_any_text(hostile: str) -> None:
    assert all(c.isprintable() or c in "\n\t" or unicodedata.category(c) == "Zs" for c in plain.visible(hostile))


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
@pytest.mark.parametrize("noise", [b"", b"\x00", b"\xff\x00\xfe"])
def test_noise_that_is_like_the_mark_of_utf_16_hides_no_line(tmp_path: Path, mark: bytes, noise: bytes) -> None:
    path = tmp_path / "console.log"
    path.write_bytes(mark + noise + b"\nBUG: KASAN: use-after-free in f+0x1/0x2\n")
    assert [line for line, _ in plain.lines(plain.pieces(path))][1:] == ["BUG: KASAN: use-after-free in f+0x1/0x2"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["", "ok", "ok 1 a – b\n" * 10_000])
def test_a_file_in_utf_16_is_read_as_that(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(f"\ufeff{text}".encode(encoding))
    assert "".join(plain.pieces(path)) == text
