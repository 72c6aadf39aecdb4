"""A run that is killed takes its whole build along: make, its sub-makes, and what hides from both."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from orchestrator.host import process
from orchestrator.host.process import Cage, Deadline, sandbox
from orchestrator.kbuild import make

MAKEFILE = """
all: ; @$(MAKE) --no-print-directory -j2 one two
one: ; @setsid sh -c 'echo up > $(FIFO); exec sleep 1000'
two: ; @sh -c 'echo up > $(FIFO); sleep 1000; :'
"""

WORKER = """
import sys
from pathlib import Path
from orchestrator.kbuild import make
from orchestrator.host.process import FOREVER

from orchestrator.host.process import Cage

folder, fifo, caged = sys.argv[1:]
cage = Cage(writable=(Path(folder),)) if caged == "caged" else None
with Path(folder, "log").open("ab") as log:
    make.run(["make", f"-C{folder}", f"FIFO={fifo}"], {"PATH": "/usr/bin:/bin"}, log, lambda line: None, FOREVER, cage)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo"):
        sandbox.give(path)
    return tmp_path


def sleepers(folder: Path) -> list[str]:
    """Return the processes that work for the build in a folder: it is the current folder of them all."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if path.readlink() == folder:
                found.append((path.parent / "cmdline").read_text())
    return found


def both_up(fifo: Path) -> None:
    """Wait until both recipes run."""
    # Open for writing, too: what comes between the end of one writer and the next look would be lost.
    pipe, said = os.open(fifo, os.O_RDWR), b""
    try:
        while said.count(b"up") < 2:
            said += os.read(pipe, 100)
    finally:
        os.close(pipe)


def gone(folder: Path) -> bool:
    limit = Deadline.after(30)
    while sleepers(folder) and not limit.expired:
        time.sleep(0.02)
    return not sleepers(folder)


CAGED = pytest.mark.parametrize("caged", ["caged", "enclosed"])


@CAGED
def test_a_killed_run_leaves_nothing_of_its_build(folder: Path, caged: str) -> None:
    if not process.can_enclose():
        pytest.fail("this host does not let us start a build in a process namespace; a killed run would leave a part")
    env = process.minimal_environment({"PYTHONPATH": str(Path(__file__).parents[3])})
    argv: list[str | Path] = [sys.executable, "-c", WORKER, folder, folder / "fifo", caged]
    with process.spawn(argv, env=env, stdout=1, stderr=2) as worker:
        both_up(folder / "fifo")
        assert len(sleepers(folder)) >= 4
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        assert gone(folder), sleepers(folder)


@CAGED
def test_an_interrupted_build_ends_at_once_and_leaves_nothing(folder: Path, caged: str) -> None:
    """make gets SIGTERM and ends by it, long before the grace is over that comes before SIGKILL."""

    class Interrupted(Exception):
        pass

    def interrupt(line: str) -> None:
        both_up(folder / "fifo")
        raise Interrupted

    (folder / "Makefile").write_text(MAKEFILE.replace("all: ;", "all: ; @echo begun\n\t"))
    with (folder / "log").open("ab") as log, pytest.raises(Interrupted):
        make.run(
            ["make", f"-C{folder}", f"FIFO={folder / 'fifo'}"],
            {"PATH": "/usr/bin:/bin"},
            log,
            interrupt,
            Deadline.after(60),
            Cage(writable=(folder,)) if caged == "caged" else None,
        )
    assert gone(folder), sleepers(folder)
    assert "Terminated" in (folder / "log").read_text()
