"""How many runs, and how sure: the arithmetic, against simulated kernels where a formula could lie."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.bisect import odds
from orchestrator.bisect.odds import MOST, Count, Odds

measured = st.builds(
    lambda shown, clean, good: Odds(Count(shown, clean), Count(0, good)),
    st.integers(1, 20),
    st.integers(0, 20),
    st.integers(1, 20),
)


@given(measured, st.integers(1, 40), st.data())
def test_more_runs_that_show_it_never_make_good_likelier(weights: Odds, runs: int, data: st.DataObject) -> None:
    shown = data.draw(st.integers(0, runs - 1))
    less, more = (weights.bad_given(Count(s, runs - s)) for s in (shown, shown + 1))
    assert 0 <= less <= more <= 1


@given(measured, st.integers(0, 5), st.integers(0, 40))
@example(Odds(Count(1, 16), Count(0, 1)), 0, 0)
def test_more_clean_runs_never_make_bad_likelier(weights: Odds, shown: int, clean: int) -> None:
    assert weights.bad_given(Count(shown, clean + 1)) <= weights.bad_given(Count(shown, clean)) + 1e-12


@given(measured)
def test_nothing_seen_is_no_answer(weights: Odds) -> None:
    assert weights.bad_given(Count()) == pytest.approx(0.5)


def test_a_compiler_needs_one_run() -> None:
    weights = Odds(Count(1, 0), Count(0, 1), certain=True)
    assert (weights.bad_given(Count(1, 0)), weights.bad_given(Count(0, 1)), weights.needed(0.9999)) == (1.0, 0.0, 1)


def test_the_rarer_the_symptom_the_more_clean_runs_it_takes() -> None:
    needed = [Odds(Count(k, 10 - k), Count(0, 10)).needed(0.99) for k in (10, 9, 5, 2, 1)]
    assert needed == sorted(n for n in needed if n) and needed[0] == 1
    assert Odds(Count(1, 199), Count(0, 200)).needed(0.999) is None
    assert (Odds(Count(5, 5), Count(0, 10)).needed(0.99) or MOST) > (Odds(Count(5, 5), Count(0, 10)).needed(0.9) or 0)


def test_a_good_end_that_shows_it_too_takes_more_than_one_sighting() -> None:
    weights = Odds(Count(45, 5), Count(2, 48))
    assert weights.bad_given(Count(1, 0)) < 0.99 < weights.bad_given(Count(4, 0))


@pytest.mark.parametrize(
    ("weights", "seen", "bad"),
    [
        (Odds(Count(10, 0), Count(0, 20)), Count(0, 1500), 0.0),
        (Odds(Count(10, 0), Count(0, 20)), Count(1500, 0), 1.0),
        (Odds(Count(1000, 0), Count(0, 1000)), Count(500, 500), 0.5),
        (Odds(Count(600, 600), Count(0, 1200)), Count(600, 600), 1.0),
    ],
)
def test_thousands_of_runs_are_weighed_as_well_as_few(weights: Odds, seen: Count, bad: float) -> None:
    assert weights.weighed(seen) == pytest.approx(bad)
    assert weights.bad_given(seen) == pytest.approx(bad, abs=0.5 if bad == 0.5 else 1e-6)


def test_a_path_is_as_sure_as_all_its_steps_together() -> None:
    step = odds.per_step(0.99, 1000)
    assert step > 0.99 and step**11 == pytest.approx(0.99)
    assert odds.per_step(0.9, 1) > 0.9


def test_an_answer_is_wrong_no_oftener_than_promised() -> None:
    """Ends and steps are run by chance, many times, with symptoms of every rate."""
    chance = random.Random(7)
    wrong = {True: 0, False: 0}
    told = {True: 0, False: 0}

    def runs(rate: float, number: int) -> Count:
        shown = sum(chance.random() < rate for _ in range(number))
        return Count(shown, number - shown)

    for _ in range(4000):
        rate = 1.0 if chance.random() < 0.5 else chance.random()
        weights = Odds(runs(rate, 10), Count(0, 10))
        needed = weights.needed(0.9)
        if not weights.bad.shown or needed is None:
            continue
        bad = chance.random() < 0.5
        seen = runs(rate if bad else 0.0, needed)
        if not 0.1 < weights.bad_given(seen) < 0.9:
            said = weights.bad_given(seen) > 0.5
            told[said] += 1
            wrong[said] += said != bad
    assert min(told.values()) > 1000
    assert wrong[False] / told[False] < 0.1 and wrong[True] == 0
