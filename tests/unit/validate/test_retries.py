"""Which tests run again: those that differ, and were not expected to."""

from __future__ import annotations

from orchestrator.validate import retries
from orchestrator.verdict import series_verdict
from tests.fakes import results as fixture


def test_what_differs_runs_again_unless_it_was_promised() -> None:
    base, patched = fixture.pair("plain")
    judged = series_verdict.judge(base, patched, fixture.EXPECTED, "stock", "patched")
    assert retries.differing(judged) == {"uffd": ("fixed", "worse")}, (
        "promised is promised; known and same do not differ"
    )
