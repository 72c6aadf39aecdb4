"""What a plan loses for want of tests is noted, by suite and by job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.config.schema import Pipeline
from orchestrator.pipeline import discover, plan
from tests.fakes import engines, trees


def suite(*programs: str) -> dict[str, Any]:
    return {"kind": "tree", "directory": "d", "programs": [{"name": name, "run": f"./{name}"} for name in programs]}


def narrowed(folder: Path, *tests: str) -> tuple[dict[str, str], list[str]]:
    """Return the suites of each job where these tests are asked for, and what is noted."""
    pipeline = Pipeline.model_validate(
        {
            "trees": {"toy": {"source": {"provider": "path", "path": "/toy"}}},
            "variants": {"small": {}, "big": {}, "other": {}},
            "suites": {"one": suite("a1", "a2"), "two": suite("b1"), "three": suite("c1")},
            "modes": {
                "smoke": {
                    "trees": ["toy"],
                    "variants": ["small", "big"],
                    "suites": ["one", "two", "three"],
                    "tests": tests,
                    "also": [{"trees": ["toy"], "variants": ["other"], "suites": ["three"], "tests": tests}],
                }
            },
        }
    )
    notes = trees.Notes()
    planned = discover.narrowed(plan.expand(pipeline, "smoke"), engines.workspace(folder, notes))
    return {job.name: " ".join(name for name, _ in job.suites) for job in planned.jobs}, notes.said


def test_each_suite_that_a_job_loses_is_noted_and_each_job_that_has_none_left(tmp_path: Path) -> None:
    jobs, notes = narrowed(tmp_path, "a*", "c*")
    assert jobs == {"toy.small": "one three", "toy.big": "one three", "toy.other": "three"}
    assert notes == ["suite two is left out of toy.small, toy.big: none of its tests was asked for"]


def test_a_job_that_is_left_out_is_noted_once(tmp_path: Path) -> None:
    suites, jobs = "was asked for", "toy.small, toy.big"
    assert narrowed(tmp_path, "a1")[1] == [
        "left out, for none of their tests was asked for: toy.other",
        f"suite two is left out of {jobs}: none of its tests {suites}",
        f"suite three is left out of {jobs}: none of its tests {suites}",
    ]
    assert not narrowed(tmp_path, "*")[1]
