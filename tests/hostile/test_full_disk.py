"""A disk that is full in the middle of a run: one line that says so, exit code 3 at each stage, and nothing is believed
of what could not be written: with more room, the same run comes to its end.

The disk is a tmpfs of the wanted size in a mount namespace; where that is not allowed, the tests are left out.
"""

from __future__ import annotations

import functools
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.stage.cli.test_commands import Table
from tests.stage.pipeline.test_run import GOOD

_SPACE = ("unshare", "--mount", "sh", "-c")
_SCRIPT = """
mount -t tmpfs -o size={size} full {disk} && {command} >first 2>&1; echo $?
mount -o remount,size=1g,nr_inodes=10k {disk} && {command} >second 2>&1; echo $?
"""
SIZES = {
    # 5 MB are enough for a run: ccache's index of 7 MB is there where there is room for it.
    "cache": ("16k", "100k", "400k", "900k", "2m", "3m", "4m"),
    "results": ("4k", "16k", "64k", "130k", "1500k", "3m", "5m", "7m"),
    # A run keeps little there, and no bytes that count: what is full is the number of files.
    "tmp": ("4k,nr_inodes=1", "4k,nr_inodes=2", "4k,nr_inodes=3"),
}
OFTEN = {("cache", "4m"), ("results", "16k"), ("tmp", "4k,nr_inodes=1")}
ROWS = [
    pytest.param(place, size, marks=[] if (place, size) in OFTEN else pytest.mark.nightly)
    for place, sizes in SIZES.items()
    for size in sizes
]


@functools.cache
def may_mount() -> bool:
    argv = [*_SPACE, "mount -t tmpfs -o size=4k full /mnt"]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="no mount namespace for this user")
@pytest.mark.parametrize(("place", "size"), ROWS)
def test_a_full_disk_is_one_line_and_exit_code_3(place: str, size: str, tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.series(*GOOD)
    disk = table.folder / place
    disk.mkdir(exist_ok=True)
    script = _SCRIPT.format(size=size, disk=shlex.quote(str(disk)), command=shlex.join(table.argv("run")))
    temporary = {"TMPDIR": str(disk)} if place == "tmp" else {}
    done = subprocess.run(
        [*_SPACE, script], cwd=table.folder, env={**table.environment, **temporary}, text=True, check=False,
        capture_output=True,
    )  # fmt: skip
    first, second = ((table.folder / name).read_text() for name in ("first", "second"))
    assert done.stdout.split() == ["3", "0"], (first[-2000:], second[-2000:])
    assert "No space left on device" in first and "Traceback" not in first, first[-2000:]
    assert first.splitlines()[-1].startswith(("wpci: cannot write", "verdict   INFRA")), first[-2000:]
