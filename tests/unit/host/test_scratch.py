"""Folders for a while: what a killed process left goes, and nothing of anybody who lives."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.host import scratch

HOLD = (
    "import sys, time, pathlib; from orchestrator.host import scratch\n"
    "room = pathlib.Path(sys.argv[1])\n"
    "with scratch.kept_on(KeyError, room) if sys.argv[2] == 'kept' else scratch.folder(room) as folder:\n"
    "    (folder / 'memory').write_bytes(b'x'); print(folder, flush=True); time.sleep(60)\n"
)
OLD = 1_000_000_000.0


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    """A process looks once; a test is as one."""
    scratch._sweep.cache_clear()
    yield
    scratch._sweep.cache_clear()


def held(room: Path, *, killed: bool, kind: str = "") -> Iterator[Path]:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(room), kind], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        folder = Path(child.stdout.readline().strip())
        if killed:
            child.send_signal(signal.SIGKILL)
            child.wait()
        os.utime(folder, (OLD, OLD))
        yield folder
        child.kill()


def test_a_folder_is_gone_after_its_block(tmp_path: Path) -> None:
    with scratch.folder(tmp_path) as folder:
        assert folder.parent == tmp_path and folder.is_dir()
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["", "kept"])
def test_what_the_killed_left_goes_with_the_next_that_uses_the_room(tmp_path: Path, kind: str) -> None:
    for left in held(tmp_path, killed=True, kind=kind):
        assert (left / "memory").exists()
        with scratch.folder(tmp_path):
            assert not left.exists()


def test_what_one_who_lives_holds_stays(tmp_path: Path) -> None:
    for left in held(tmp_path, killed=False):
        with scratch.folder(tmp_path):
            assert (left / "memory").exists()


def test_what_is_new_or_not_ours_or_no_folder_stays(tmp_path: Path) -> None:
    outside, fresh = tmp_path / "outside", tmp_path / f"{scratch.PREFIX}fresh000"
    names = [tmp_path / name for name in ("wpci-results", "wpci-unexpected-01234567", f"{scratch.PREFIX}of-a-person")]
    for path in (outside, fresh, *names):
        path.mkdir()
    file, link = tmp_path / f"{scratch.PREFIX}file0000", tmp_path / f"{scratch.PREFIX}link0000"
    file.write_text("")
    link.symlink_to(outside)
    names += [outside, file]
    for path in names:
        os.utime(path, (OLD, OLD))
    if os.geteuid() == 0:
        stranger = tmp_path / f"{scratch.PREFIX}stranger"  # eight letters, as ours have
        stranger.mkdir()
        os.chown(stranger, 65534, 65534)
        os.utime(stranger, (OLD, OLD))
        names.append(stranger)
    with scratch.folder(tmp_path):
        assert all(path.exists() for path in (*names, link, fresh))


def test_a_folder_that_an_error_of_ours_leaves_stays_and_no_other(tmp_path: Path) -> None:
    left: list[Path] = []
    for error in (KeyError, ValueError, None):
        with contextlib.suppress(KeyError, ValueError), scratch.kept_on(KeyError, tmp_path) as folder:
            left.append(folder)
            (folder / "log").write_text("why")
            if error:
                raise error
    assert [folder.exists() for folder in left] == [True, False, False]
    os.utime(left[0], (OLD, OLD))
    scratch._sweep.cache_clear()
    with scratch.folder(tmp_path):
        assert (left[0] / "log").read_text() == "why"


def test_nothing_else_makes_folders_that_a_killed_process_leaves() -> None:
    makes = re.compile(r"\b(?:mkdtemp|mkstemp|TemporaryDirectory|NamedTemporaryFile)\(")
    package = Path(scratch.__file__).parents[1]
    places = {str(path.relative_to(package)) for path in package.rglob("*.py") if makes.search(path.read_text())}
    own = {"host/disk.py"}  # the folder becomes what it is made for; prune sweeps the halves of killed ones
    assert places == {"host/scratch.py", "cli/main.py", *own}, "cli/main.py: a log that is to stay"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes two users")
def test_what_another_user_may_not_look_into_stays() -> None:
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        room.chmod(0o1777)
        with scratch.folder(room) as of_root:
            scratch._sweep.cache_clear()
            os.seteuid(65534)
            try:
                with scratch.folder(room) as folder:
                    assert folder.is_dir()
            finally:
                os.seteuid(0)
            assert of_root.is_dir()
