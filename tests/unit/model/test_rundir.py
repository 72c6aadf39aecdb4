"""The files of a run, where every reader looks for them."""

from __future__ import annotations

from pathlib import Path

from orchestrator.model import rundir


def test_the_consoles_of_a_job_are_in_the_order_of_booting(tmp_path: Path) -> None:
    for name in ("boot-10", "boot-2", "probe-max"):
        (tmp_path / name).mkdir()
        (tmp_path / name / rundir.CONSOLE).touch()
    assert [path.parent.name for path in rundir.consoles(tmp_path)] == ["boot-2", "boot-10"]
