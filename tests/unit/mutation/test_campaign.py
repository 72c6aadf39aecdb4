"""How long a test may take on a mutant."""

from __future__ import annotations

from orchestrator.mutation.campaign import limits
from orchestrator.mutation.report import Baseline


def test_a_test_may_take_some_times_what_it_took_on_the_whole_series_and_never_more_than_the_suite_allows() -> None:
    base = Baseline("k", "s", {}, 5.0, ("R01",), {"A01": 0.1, "A02": 1.25, "B01": 1.3, "B02": 5.0, "C01": 40.0})
    under_tcg = {test: 5.0 * seconds for test, seconds in limits(base, 20.0).items()}
    assert under_tcg == {"A01": 5.0, "A02": 5.0, "B01": 10.0, "B02": 20.0}
    assert limits(base, 0.5) == {}, "the limit of the suite is shorter"
