"""Runs to terms, steps to a conclusion: pure, and never surer than what was seen."""

from __future__ import annotations

import random
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.bisect import conclusion, judge, report, values
from orchestrator.bisect.gitbisect import Commit
from orchestrator.bisect.odds import Count
from orchestrator.bisect.symptom import Observation, Sight, Why
from orchestrator.bisect.values import Outcome, Request, Role, State, Step
from orchestrator.errors import UserError
from orchestrator.model import Symptom, SymptomKind, Term, Verdict

FAIL, PASS = Observation(Sight.SHOWN, "fail"), Observation(Sight.ABSENT, "works")
CRASH = Observation(Sight.SHOWN, "crashed: Oops: other")
BROKEN = Observation(Sight.UNCLEAR, "mm/a.c: error", Why.NOT_BUILT)
CULPRIT = Commit("c" * 40, "mm: culprit", "Dev <dev@example.org>", ("p" * 40,))


def asked(runs: int | None = None, kind: SymptomKind = SymptomKind.TEST) -> Request:
    return Request(good="a", bad="b", symptom=Symptom(kind, "T01" if kind is SymptomKind.TEST else ""), runs=runs)


def step(
    role: Role, term: Term, *observations: Observation, commit: str = "x", why: Why | None = None, **more: str
) -> Step:
    shown = sum(s.sight is Sight.SHOWN for s in observations)
    count = Count(shown, len(observations) - shown)
    return Step(1, role, commit, f"label {commit}", term, "reason", why, observations, count, **more)  # type: ignore[arg-type]


def state(*steps: Step, runs: int | None = None, kind: SymptomKind = SymptomKind.TEST) -> State:
    return State(asked(runs, kind), "print", steps)


def measured(bad: int = 10, of: int = 10, runs: int | None = None) -> State:
    """Both ends of a symptom that the bad one shows ``bad`` times, and the good one never."""
    ends = [step(Role.BAD_END, Term.BAD, *[FAIL] * bad, *[PASS] * (of - bad), commit="bad")]
    return state(*ends, step(Role.GOOD_END, Term.GOOD, *[PASS] * of, commit="good"), runs=runs)


def test_an_end_is_measured_before_anything_is_said_of_it() -> None:
    rule = judge.rule(state(), 16)
    assert (rule.runs, rule.odds) == (10, None)
    assert judge.judge([FAIL] * 9, rule) is None
    steady = judge.judge([FAIL] * 10, rule)
    assert steady and (steady.term, steady.count) == (Term.BAD, Count(10, 0))
    for few in ([FAIL] * 2 + [PASS] * 8, [PASS] * 10):
        assert judge.judge(few, rule) is None, "a rate that is no certainty is measured longer"
    judged = judge.judge([FAIL] * 12 + [PASS] * 28, rule)
    assert judged and (judged.term, judged.count) == (Term.BAD, Count(12, 28))
    clean = judge.judge([PASS] * 40, rule)
    assert clean and clean.term is Term.GOOD


def test_a_compiler_is_asked_once() -> None:
    rule = judge.rule(state(kind=SymptomKind.BUILD), 16)
    assert rule.runs == 1
    ends = (
        step(Role.BAD_END, Term.BAD, Observation(Sight.SHOWN, "mm/a.c:N: error")),
        step(Role.GOOD_END, Term.GOOD, Observation(Sight.ABSENT, "builds")),
    )
    rule = judge.rule(state(*ends, kind=SymptomKind.BUILD), 16)
    judged = judge.judge([Observation(Sight.SHOWN, "mm/a.c:N: error")], rule)
    assert judged and (judged.term, judged.sure) == (Term.BAD, 1.0)
    other = judge.judge([Observation(Sight.SHOWN, "mm/b.c:N: error")], rule)
    assert other and (other.term, other.why) == (Term.SKIP, Why.OTHER)


def test_a_rare_symptom_takes_more_runs_than_a_steady_one() -> None:
    steady, rare = judge.rule(measured(10), 16), judge.rule(measured(2), 16)
    assert steady.runs == 2 and rare.runs > 20
    assert judge.judge([PASS] * 2, rare) is None
    judged = judge.judge([PASS] * rare.runs, rare)
    assert judged and judged.term is Term.GOOD and judged.sure >= rare.confidence


def test_the_runs_that_were_asked_for_are_made_and_no_more() -> None:
    rule = judge.rule(measured(runs=3), 16)
    assert judge.judge([PASS] * 2, rule) is None
    judged = judge.judge([PASS] * 3, rule)
    assert judged and judged.term is Term.GOOD


def test_steps_that_are_decided_tell_of_the_rate_too() -> None:
    """A third of the runs fail, where half of those of the bad end did by chance: the ends alone leave that between."""
    ends = measured(5, 16).steps
    between = (step(Role.SEARCH, Term.GOOD, *[PASS] * 16), step(Role.SEARCH, Term.BAD, *[FAIL] * 18, *[PASS] * 30))
    seen = [FAIL] * 21 + [PASS] * 43
    alone, all_of_them = (judge.judge(seen, judge.rule(state(*ends, *more), 30)) for more in ((), between))
    assert all_of_them and all_of_them.term is Term.BAD and (alone is None or all_of_them.sure > alone.sure)


def test_a_test_that_is_in_doubt_runs_on() -> None:
    """A third of the runs fail, of which the bad end saw more by chance, and this kernel fewer at first."""
    ends = (
        step(Role.BAD_END, Term.BAD, *[FAIL] * 21, *[PASS] * 19),
        step(Role.GOOD_END, Term.GOOD, *[PASS] * 22),
    )
    rule = judge.rule(state(*ends), 30)
    seen = [FAIL] * 8 + [PASS] * 32
    assert judge.judge(seen, rule) is None
    judged = judge.judge([*seen, *[FAIL] * 22, *[PASS] * 28], rule)
    assert judged and judged.term is Term.BAD


@pytest.mark.parametrize("rate", [0.2, 1 / 3, 0.5, 1.0])
def test_a_flaky_symptom_is_bisected_to_its_commit(rate: float) -> None:
    answers = [_bisected(rate, random.Random(seed)) for seed in range(40)]
    assert answers.count(True) >= 38, answers


def _bisected(rate: float, chance: random.Random, commits: int = 30, culprit: int = 20) -> bool:
    """Search by halves as git does; return whether every step came to the right term."""
    steps: list[Step] = []

    def is_bad(role: Role, commit: int) -> bool:
        seen: list[Observation] = []
        rule = judge.rule(state(*steps), commits)
        while (judged := judge.judge(seen, rule)) is None:
            seen.append(FAIL if commit >= culprit and chance.random() < rate else PASS)
        steps.append(step(role, judged.term, *seen, commit=str(commit)))
        return judged.term is (Term.BAD if commit >= culprit else Term.GOOD) and commit >= culprit

    good, bad = -1, commits - 1
    ends = is_bad(Role.BAD_END, bad) and not is_bad(Role.GOOD_END, good)
    while ends and bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (good, middle) if is_bad(Role.SEARCH, middle) else (middle, bad)
    return ends and bad == culprit and all(s.term is not Term.SKIP for s in steps)


def test_what_cannot_change_is_not_tried_twice() -> None:
    judged = judge.judge([BROKEN], judge.rule(measured(2), 16))
    assert judged and (judged.term, judged.why, judged.reason) == (Term.SKIP, Why.NOT_BUILT, "mm/a.c: error")


def test_one_other_failure_among_many_runs_does_not_flip_a_term() -> None:
    rule = judge.rule(measured(2), 16)
    judged = judge.judge([CRASH] + [PASS] * rule.runs, rule)
    assert judged and judged.term is Term.GOOD
    crashed = judge.judge([CRASH] * rule.runs, rule)
    assert crashed and (crashed.term, crashed.why) == (Term.SKIP, Why.OTHER)


def test_a_step_that_runs_on_is_not_skipped_for_one_unclear_run_of_many() -> None:
    rule = judge.rule(measured(), 16)
    unclear = Observation(Sight.UNCLEAR, "error: no memory", Why.OTHER)
    judged = judge.judge([*[PASS] * 8, unclear], rule)
    assert rule.runs == 2 and judged and judged.term is Term.GOOD
    for tries in ([unclear], [PASS, unclear], [*[PASS] * 4, *[unclear] * 4]):
        skipped = judge.judge(tries, rule)
        assert skipped and (skipped.term, skipped.reason) == (Term.SKIP, "error: no memory")


@given(st.lists(st.sampled_from([FAIL, PASS, CRASH, BROKEN]), max_size=300), st.integers(1, 10))
def test_every_row_of_runs_comes_to_an_end(tries: list[Observation], bad: int) -> None:
    rule = judge.rule(measured(bad), 16)
    judged = judge.judge(tries, rule)
    if len(tries) >= rule.most:
        assert judged
    if judged and judged.term is not Term.SKIP:
        assert judged.sure >= rule.confidence
        assert judged.count.shown or judged.term is Term.GOOD
        assert judged.count.clean or judged.term is Term.BAD


def test_ends_are_what_they_were_said_to_be_or_it_is_said() -> None:
    assert judge.ends(measured(), 16) == ""
    clean = state(step(Role.BAD_END, Term.GOOD, PASS))
    assert "does not show test:T01" in judge.ends(clean, 16)
    broken = state(step(Role.BAD_END, Term.SKIP, BROKEN, why=Why.NOT_BUILT))
    assert "does not build" in judge.ends(broken, 16)
    both = state(step(Role.BAD_END, Term.BAD, *[FAIL] * 10), step(Role.GOOD_END, Term.BAD, *[FAIL] * 9, PASS))
    assert "shows test:T01 too" in judge.ends(both, 16)
    lost = state(step(Role.BAD_END, Term.BAD, FAIL), step(Role.GOOD_END, Term.SKIP, BROKEN, why=Why.NOT_BUILT))
    assert "cannot be judged: does not build" in judge.ends(lost, 16)


def test_a_good_end_that_shows_the_symptom_now_and_then_is_good_where_it_passes_for_one() -> None:
    def good(shown: int) -> Term:
        bad = step(Role.BAD_END, Term.BAD, *[FAIL] * 20)
        ends = state(bad, step(Role.GOOD_END, Term.BAD, *[FAIL] * shown, *[PASS] * (20 - shown)))
        return judge.accepted(ends, 16).steps[1].term

    assert (good(1), good(19)) == (Term.GOOD, Term.BAD)
    lost = state(step(Role.BAD_END, Term.BAD, FAIL), step(Role.GOOD_END, Term.SKIP, BROKEN, why=Why.NOT_BUILT))
    assert judge.accepted(lost, 16) == lost and judge.accepted(measured(), 16) == measured()


@pytest.mark.parametrize(
    ("seen", "term", "why"),
    [
        (PASS, Term.GOOD, None),
        (Observation(Sight.REFUSED, "no such feature"), Term.GOOD, None),
        (FAIL, Term.BAD, None),
        (Observation(Sight.SHOWN, "timeout"), Term.SKIP, Why.OTHER),
    ],
)
def test_the_good_end_is_read_in_the_light_of_the_bad_one(seen: Observation, term: Term, why: Why | None) -> None:
    rule = judge.rule(state(step(Role.BAD_END, Term.BAD, *[FAIL] * 10)), 16)
    judged = judge.judge([seen] * rule.runs, rule)
    assert judged and (judged.term, judged.why) == (term, why)


def test_the_path_is_no_surer_than_its_steps() -> None:
    ends = measured().steps
    one = state(*ends, step(Role.SEARCH, Term.GOOD, PASS, PASS, commit="s"))
    two = state(*one.steps, step(Role.SEARCH, Term.BAD, FAIL, FAIL, commit="t"))
    assert 1 > judge.path(one, 16) > judge.path(two, 16) > 0.99
    verified = state(*two.steps, step(Role.CULPRIT, Term.BAD, FAIL, FAIL, commit="t"))
    assert judge.path(verified, 16) > judge.path(two, 16)


def verified(**terms: Term) -> State:
    """A bisect that found a culprit and looked at it again."""
    roles = {"culprit": Role.CULPRIT, "parent": Role.PARENT, "without": Role.WITHOUT}
    found = [step(roles[name], term, FAIL, commit=name, kernel=name) for name, term in terms.items()]
    return state(*measured().steps, *found)


def test_only_a_verified_culprit_is_conclusive() -> None:
    good = conclusion.of_culprit("it", verified(culprit=Term.BAD, parent=Term.GOOD, without=Term.GOOD), ())
    assert good.verdict is Verdict.PASS and "nor does the tip without it" in good.reason
    no_revert = conclusion.of_culprit("it", verified(culprit=Term.BAD, parent=Term.GOOD), ("no revert",))
    assert (no_revert.verdict, no_revert.notes) == (Verdict.PASS, ("no revert",))


@pytest.mark.parametrize(
    ("terms", "verdict", "said"),
    [
        ({}, Verdict.SKIP, "nothing to compare"),
        ({"culprit": Term.GOOD, "parent": Term.GOOD}, Verdict.FAIL, "does not show the symptom"),
        ({"culprit": Term.BAD, "parent": Term.BAD}, Verdict.FAIL, "its parent shows the symptom too"),
        ({"culprit": Term.SKIP, "parent": Term.GOOD}, Verdict.SKIP, "cannot verify"),
        ({"culprit": Term.BAD, "parent": Term.SKIP}, Verdict.SKIP, "cannot verify"),
        ({"culprit": Term.BAD, "parent": Term.GOOD, "without": Term.BAD}, Verdict.FAIL, "all the same"),
    ],
)
def test_what_contradicts_a_culprit_is_said(terms: dict[str, Term], verdict: Verdict, said: str) -> None:
    found = conclusion.of_culprit("it", verified(**terms), ())
    assert found.verdict is verdict and said in found.reason


def test_a_culprit_that_does_not_change_the_kernel_is_none() -> None:
    same = [step(Role.CULPRIT, Term.BAD, FAIL, kernel="k"), step(Role.PARENT, Term.GOOD, PASS, kernel="k")]
    assert conclusion.of_culprit("it", state(*measured().steps, *same), ()).verdict is Verdict.FAIL


def test_the_state_is_read_back_as_it_was_written() -> None:
    whole = verified(culprit=Term.BAD, parent=Term.SKIP)
    assert values.load(values.dump(whole)) == whole
    with pytest.raises(UserError, match="no state of a bisect"):
        values.load("{}")
    with pytest.raises(UserError, match="of version 7"):
        values.load(values.dump(whole).replace('"version": 1', '"version": 7'))


@pytest.mark.parametrize(
    ("verdict", "kind"), [(Verdict.FAIL, "failure"), (Verdict.INFRA, "error"), (Verdict.SKIP, "skipped")]
)
def test_junit_is_never_greener_than_the_verdict(verdict: Verdict, kind: str) -> None:
    skipped = step(Role.SEARCH, Term.SKIP, BROKEN, why=Why.NOT_BUILT)
    whole = state(*measured().steps, skipped)
    outcome = Outcome(verdict, "why | not", 1, whole, Path("/r"), CULPRIT, (CULPRIT,), 0.5, ("a <note>",))
    cases = list(ElementTree.fromstring(report.junit(outcome)).iter("testcase"))
    assert [case.get("name") for case in cases][-1] == "verdict" and cases[-1].find(kind) is not None
    assert cases[2].find("skipped") is not None
    text = report.summary(outcome)
    assert "not conclusive: why \\| not" in text and "a \\<note\\>" in text and "50.00 %" in text
