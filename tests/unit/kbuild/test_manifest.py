"""What rots in an output folder, or was half-written there, is removed for make to make again; what is sound stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from orchestrator.kbuild import manifest

NOW = 1_700_000_000
DAY = 86_400


class Folder:
    """An output folder with two files of yesterday, written down."""

    def __init__(self, top: Path) -> None:
        self.out, self.notes = top / "out", top / "notes"
        (self.out / "mm").mkdir(parents=True)
        self.write("mm/a.o", b"a" * 100, NOW - DAY)
        self.write("mm/b.o", b"b" * 100, NOW - DAY)
        manifest.begin(self.notes)
        manifest.record(self.out, self.notes)

    def write(self, name: str, data: bytes, at: float) -> None:
        (self.out / name).write_bytes(data)
        os.utime(self.out / name, (at, at))

    def mended(self) -> list[str]:
        manifest.mend(self.out, self.notes)
        return sorted(str(path.relative_to(self.out)) for path in self.out.rglob("*.o"))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_is_sound_stays(folder: Folder) -> None:
    assert folder.mended() == ["mm/a.o", "mm/b.o"]


@pytest.mark.parametrize("data", [b"", b"a" * 50, b"a" * 99 + b"e"])
def test_what_rots_goes(folder: Folder, data: bytes) -> None:
    folder.write("mm/a.o", data, NOW - DAY)
    assert folder.mended() == ["mm/b.o"]
    assert folder.mended() == ["mm/b.o"]


def test_what_was_written_last_before_a_kill_goes_and_what_was_before_stays(folder: Folder) -> None:
    manifest.begin(folder.notes)
    folder.write("mm/new.o", b"whole", NOW - 2 * manifest.DOUBTFUL)
    folder.write("mm/b.o", b"cut", NOW)
    assert folder.mended() == ["mm/a.o", "mm/new.o"]


def test_what_a_clock_that_was_set_back_made_goes_for_make_would_take_it_to_be_new(folder: Folder) -> None:
    folder.write("mm/a.o", b"a" * 100, time.time() + 3600)
    manifest.record(folder.out, folder.notes)
    assert folder.mended() == ["mm/b.o"]


def test_what_a_clock_that_was_set_back_made_does_not_hide_what_a_kill_left(folder: Folder) -> None:
    now = time.time()
    manifest.begin(folder.notes)
    folder.write("mm/a.o", b"a" * 100, now + 3600)
    folder.write("mm/b.o", b"cut", now - 1)
    assert folder.mended() == []


def test_a_pipe_and_a_link_are_not_read(folder: Folder) -> None:
    os.mkfifo(folder.out / "pipe")
    (folder.out / "link").symlink_to("/dev/zero")
    manifest.record(folder.out, folder.notes)
    assert folder.mended() == ["mm/a.o", "mm/b.o"]


def test_a_name_of_any_bytes_is_written_down(folder: Folder) -> None:
    folder.write(os.fsdecode(b"mm/\xff\n.o"), b"x", NOW - DAY)
    folder.write("seal", b"x", NOW - DAY)
    manifest.record(folder.out, folder.notes)
    assert len(folder.mended()) == 3 and manifest.is_readable(folder.notes)


def test_a_manifest_that_rots_is_known_to(folder: Folder) -> None:
    assert manifest.is_readable(folder.notes)
    (folder.notes / "files.json").write_bytes(b"{")
    assert not manifest.is_readable(folder.notes)
