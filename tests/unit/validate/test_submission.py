"""submission.placed: which tree of the pipeline a series goes on, where its base is another commit of that."""

from __future__ import annotations

from typing import Any

from orchestrator.config.schema import Pipeline, TreeConfig
from orchestrator.config.sources import GitSource
from orchestrator.series.base import Base
from orchestrator.validate import submission

COMMIT = "0123456789abcdef" * 2
THERE = TreeConfig(source=GitSource(provider="git", url="https://example.org/linux.git", ref=COMMIT))


def _pipeline(suite: dict[str, Any]) -> Pipeline:
    """Return a pipeline with a tree, a series that is expected to do well on it, and a suite."""
    return Pipeline.model_validate(
        {
            "trees": {"here": {"source": {"provider": "path", "path": "."}}},
            "series": {"fix": {"path": "fix.mbox", "tree": "here", "expect": "patched"}},
            "variants": {"small": {}},
            "suites": {"own": {"kind": "tree", "directory": "mm", "programs": [{"name": "t", "run": "./t"}], **suite}},
            "modes": {"smoke": {"series": ["fix"], "variants": ["small"], "suites": ["own"]}},
        }
    )


def test_another_commit_of_a_tree_has_its_name() -> None:
    placed = submission.placed(_pipeline({}), "fix", Base("here", THERE, COMMIT, "its base-commit", moved=True))
    assert placed.series["fix"].tree == "here" and placed.trees["here"] == THERE
    assert placed.series["fix"].expect is None, "what is expected is so of the configured commit"


def test_a_tree_that_suites_are_built_from_stays_beside_another_commit_of_it() -> None:
    before = _pipeline({"tree": "here"})
    placed = submission.placed(before, "fix", Base("here", THERE, COMMIT, "its base-commit", moved=True))
    assert placed.trees["here"] == before.trees["here"]
    assert placed.series["fix"].tree == "here-moved" and placed.trees["here-moved"] == THERE


def test_the_configured_commit_keeps_name_and_expectations() -> None:
    before = _pipeline({"tree": "here"})
    placed = submission.placed(before, "fix", Base("here", before.trees["here"], COMMIT, "named with --base"))
    assert placed == before
