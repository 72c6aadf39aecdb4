"""What each mode does on workers is what it does here: the same jobs, evidence and verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.stage.pipeline.test_alone import Clones


def shown(clones: Clones) -> dict[str, Any]:
    """Return what a run came to, without what differs from one to the next."""
    pair = clones.result()["series"][0]
    sides = [pair[side] for side in ("base", "patched")]
    return {
        "verdict": pair["verdict"],
        "tests": [[(t["name"], t["status"]) for run in job["suites"] for t in run["tests"]] for job in sides],
        "alone": [job["alone"] for job in sides],
    }


def test_red_tests_run_alone_on_workers_too(tmp_path: Path) -> None:
    clones = Clones(tmp_path)
    clones.red("spoils T01 T02")
    here = shown(clones)
    code, output = clones.type("run", "--engine", "workers:2")
    assert code == 1, output
    assert shown(clones) == here
    (seen,) = clones.patched["alone"]
    assert (seen["before"], seen["after"]) == (1, ["T01"])
    assert "red only after T01" in clones.text("summary.md") and "pollution: T02" in clones.text("junit.xml")
    job = Path(clones.patched["directory"])
    assert (job / "alone").exists() is False and list(job.with_name(f"{job.name}.alone").glob("alone/*/boot-1"))
    assert clones.left_running() == []
