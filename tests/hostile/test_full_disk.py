"""A disk that is full in the middle of a run: one line that says so, exit code 3 at each stage, and nothing is believed
of what could not be written: with more room, the same run comes to its end.

The disk is a tmpfs of the wanted size in a mount namespace; where that is not allowed, the tests are left out.
"""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import InfraError
from orchestrator.host.cache import Cache
from orchestrator.progress import SILENT
from orchestrator.series import apply, series
from tests.fakes import trees
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
OFTEN = {("cache", "4m"), ("results", "16k")}
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


def fill(folder: Path) -> int:
    """Apply a large patch in a cache on a full disk, with more and more room; return how often it was refused."""
    disk = folder / "disk"
    cache = Cache(disk / "cache")
    where = trees.git_tree(folder / "linux")
    tree = trees.fetched(where, cache)
    (where / "mm" / "shmem.c").write_text("".join(f"int x{n};\n" for n in range(20000)))
    trees.commit(where, "big")
    trees.git(where, "format-patch", "--quiet", "-1", "-o", folder / "patches")
    patches = series.load(folder / "patches")
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    for refused in range(200):
        try:
            apply.apply(tree, patches, cache, SILENT)
            return refused
        except InfraError as error:
            assert "No space left on device" in str(error), error
        for left in disk.rglob("tmp_obj_*"):  # git leaves what it could not write to the end
            left.unlink()
        os.truncate(filler, max(0, filler.stat().st_size - 16384))
    return 0


@pytest.mark.skipif(not may_mount(), reason="no mount namespace for this user")
def test_a_full_disk_is_not_charged_to_the_patch(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    call = (
        "import sys, pathlib; from tests.hostile import test_full_disk as t; print(t.fill(pathlib.Path(sys.argv[1])))"
    )
    argv = shlex.join([sys.executable, "-c", call, str(tmp_path)])
    script = f"mount -t tmpfs -o size=3m full {shlex.quote(str(disk))} && {argv}"
    done = subprocess.run([*_SPACE, script], text=True, check=False, capture_output=True)
    assert done.returncode == 0 and int(done.stdout) > 10, (done.stdout, done.stderr[-3000:])
