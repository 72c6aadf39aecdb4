"""How long the rest of a night takes."""

from __future__ import annotations

import pytest

from orchestrator.nightly.rest import Rest


def test_the_rest_takes_as_long_as_it_took_at_tonights_pace() -> None:
    rest = Rest({"a": 100.0, "b": 50.0, "c": 50.0}).without("a")
    assert rest.left(50.0) == pytest.approx(50.0)  # two at a time: 100 seconds of jobs in 50
    assert rest.without("b").left(80.0) == pytest.approx(50 * 80 / 150)
    assert rest.without("b").without("c").left(100.0) == 0.0


@pytest.mark.parametrize("known", [{"a": None, "b": 5.0}, {"a": 5.0, "b": None}])
def test_without_a_pace_or_with_a_job_that_nobody_has_seen_there_is_no_estimate(known: dict[str, float | None]) -> None:
    assert Rest(known).without("a").left(10.0) is None
