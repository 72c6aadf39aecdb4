"""Have drgn look at a dump, in a process of its own that is kept in."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.host import process
from orchestrator.host.process import Bounds, Cage, Deadline, sandbox
from orchestrator.postmortem import report
from orchestrator.postmortem.report import Report

READER = "orchestrator.postmortem.reader"
_BOUNDS = Bounds(memory=6 << 30, file=1 << 20, scratch=1 << 20, processes=64)
_MOST_SAID = 300


def obstacle() -> str:
    """Return why no guest can be looked at here, or nothing."""
    return "" if importlib.util.find_spec("drgn") else "drgn is not installed (pip install drgn)"


def look(dump: Path, vmlinux: Path, config: Path, deadline: Deadline) -> Report:
    """Return what drgn sees in a dump. Raises InfraError, where it does not come to its end in time as well."""
    if why := obstacle():
        raise InfraError(why)
    cage = Cage(readable=(*sandbox.python(), dump, vmlinux, config), bounds=_BOUNDS)
    argv: list[str | Path] = [sys.executable, "-B", "-m", READER, f"core:{dump}", vmlinux, config]
    done = process.run(argv, deadline=deadline, env={"PYTHONPATH": sandbox.python_path()}, cage=cage, check=False)
    if not done.ok:
        raise InfraError(f"drgn does not read the guest: {done.stderr.strip()[-_MOST_SAID:] or done.returncode}")
    return report.parsed(done.stdout)
