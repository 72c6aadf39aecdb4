"""Runs → the term of a step. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orchestrator.bisect import symptom
from orchestrator.bisect.odds import MOST, Count, Odds, per_step
from orchestrator.bisect.symptom import Observation, Reference, Sight, Why
from orchestrator.bisect.values import Role, State
from orchestrator.model import SymptomKind, Term

MEASURED = {SymptomKind.BUILD: 1, SymptomKind.TEST: 10, SymptomKind.BOOT: 5, SymptomKind.SPLAT: 5}
"""Runs of an end from which the rate of a symptom is learned: one guest runs a test ten times, the others are boots."""
_SPREAD = 4
"""A step that is in doubt after the runs that should do gets this many times as many where each takes a boot (a test
goes on up to ``MOST``), and so does a bad end whose test does not fail each time: all that follows is weighed against
its rate."""
_FINAL = {Why.NO_SOURCE, Why.NOT_APPLIED, Why.NOT_BUILT}
"""What another run would not change."""


@dataclass(frozen=True)
class Rule:
    """How many runs a commit gets. ``odds`` are None on an end, which is measured and not judged by another.

    ``runs`` should do (one guest makes them where it can), ``most`` are made where they leave doubt. ``exact``: no run
    less than that. ``guests`` bounds what an end is measured with, where each run takes a guest of its own.
    """

    runs: int
    most: int
    confidence: float
    reference: Reference | None = None
    odds: Odds | None = None
    exact: bool = False
    guests: int = MOST


@dataclass(frozen=True)
class Judged:
    """What the runs of a commit come to."""

    term: Term
    reason: str
    count: Count
    sure: float = 1.0
    why: Why | None = None


def count(observations: Iterable[Observation], reference: Reference) -> Count:
    """Count what was shown and what was not; what is not clear counts for nothing."""
    seen = [symptom.read(s, reference).sight for s in observations]
    return Count(seen.count(Sight.SHOWN), seen.count(Sight.ABSENT))


def rule(state: State, commits: int) -> Rule:
    """Return the rule for what comes after the steps of a state; ``commits`` is the length of the history."""
    request = state.request
    bad, good = state.ends
    kind = request.symptom.kind
    confidence = per_step(request.confidence, commits)
    if bad is None:
        runs = _runs(request.runs, kind, MEASURED[kind])
        most = runs * _SPREAD if kind is SymptomKind.TEST and request.runs is None else runs
        return Rule(runs, most, confidence, guests=request.runs or MEASURED[SymptomKind.BOOT])
    reference = symptom.learn(bad.observations, good.observations if good else ())
    seen = count(bad.observations, reference)
    clean = count(good.observations, reference) if good else Count(0, seen.runs)
    measured = Odds(
        seen + _decided(state, Term.BAD, reference),
        clean + _decided(state, Term.GOOD, reference),
        kind is SymptomKind.BUILD,
    )
    if good is None:
        needed = measured.needed(confidence) or MOST
        enough = 2 * needed if kind is SymptomKind.TEST else needed  # what a step shows is weighed against both ends
        runs = _runs(request.runs, kind, min(MOST, max(MEASURED[kind], enough)))
        lenient = replace(reference, refusing=symptom.REFUSED not in reference.shown)
        guests = request.runs or max(MEASURED[SymptomKind.BOOT], needed)
        return Rule(runs, runs, confidence, lenient, guests=guests)
    runs = _runs(request.runs, kind, measured.needed(confidence) or MOST)
    if request.runs is not None:  # as many as were asked for, whatever they are worth: the path says what that is
        return Rule(runs, runs, 0.5, reference, measured, exact=True)
    most = MOST if kind is SymptomKind.TEST else min(MOST, _SPREAD * max(2, runs))  # a guest runs a test many times
    return Rule(runs, most, confidence, reference, measured)


def _decided(state: State, term: Term, reference: Reference) -> Count:
    """Count the runs of the steps between the ends that came to a term: they are kernels of that kind, too.

    The ends alone know little of a rare symptom: one that shows in 5 of 10 runs by chance and in a third of them in
    truth would leave a step between both kinds, however often it runs.
    """
    between = (step for step in state.steps if step.term is term and step.role not in (Role.BAD_END, Role.GOOD_END))
    return sum((count(step.observations, reference) for step in between), Count())


def _runs(requested: int | None, kind: SymptomKind, chosen: int) -> int:
    return 1 if kind is SymptomKind.BUILD else requested or chosen


def judge(tries: Sequence[Observation], rule: Rule) -> Judged | None:
    """Return the term of a commit, or None where more runs are needed."""
    reference = rule.reference or symptom.learn(tries)
    seen = [symptom.read(one, reference) for one in tries]
    unclear = [one for one in seen if one.sight is Sight.UNCLEAR]
    total = count(tries, reference)
    final = next((one for one in unclear if one.why in _FINAL), None)
    runs = max(1, rule.runs, len(tries))  # a step that is in doubt runs on
    if final or 2 * len(unclear) >= runs:
        worst = final or unclear[0]
        return Judged(Term.SKIP, worst.how, total, why=worst.why)
    if len(tries) < rule.runs and (rule.exact or rule.odds is None):
        return None
    if rule.odds is None:
        is_steady = total.shown == total.runs
        return None if len(tries) < rule.most and not is_steady else _measured(seen, total)
    return _weighed(seen, total, rule, rule.odds)


def _measured(seen: Sequence[Observation], total: Count) -> Judged:
    """Return what an end is by itself."""
    shown = next((one.how for one in seen if one.sight is Sight.SHOWN), "")
    clean = next((one.how for one in seen if one.sight is not Sight.SHOWN), "")
    return Judged(Term.BAD if total.shown else Term.GOOD, _counted(shown or clean, total), total)


def _weighed(seen: Sequence[Observation], total: Count, rule: Rule, weights: Odds) -> Judged | None:
    bad = weights.bad_given(total)
    how = {sight: next((one.how for one in seen if one.sight is sight), "") for sight in Sight}
    if total.runs and bad >= rule.confidence and bad > 0.5:
        return Judged(Term.BAD, _counted(how[Sight.SHOWN], total), total, bad)
    if total.runs and 1 - bad >= rule.confidence and bad < 0.5:
        return Judged(Term.GOOD, _counted(how[Sight.ABSENT], total), total, 1 - bad)
    if len(seen) >= rule.most:
        text = f"{_counted(how[Sight.SHOWN] or how[Sight.ABSENT], total)}: neither good nor bad"
        return Judged(Term.SKIP, text, total, why=Why.UNDECIDED)
    return None


def _counted(how: str, total: Count) -> str:
    if total.runs < 2:
        return how
    return f"{how} ({total.shown} of {total.runs} runs show it)" if total.shown else f"{how} ({total.runs} runs)"


def ends(state: State, commits: int) -> str:
    """Say what is wrong with the ends of a bisect, or nothing where they are what they were said to be."""
    chased = state.request.symptom
    bad, good = state.ends
    if bad is not None and bad.term is not Term.BAD:
        return f"the bad end, {bad.label}, does not show {chased}: {bad.words}"
    if good is None or bad is None:
        return ""
    if good.why is not None:
        return f"the good end, {good.label}, cannot be judged: {good.words}"
    following = rule(state, commits)
    assert following.odds
    seen = following.odds
    alike = 2 * seen.good.shown * seen.bad.runs > seen.bad.shown * seen.good.runs
    if alike or (state.request.runs is None and seen.needed(following.confidence) is None):
        return (
            f"the good end, {good.label}, shows {chased} too: {seen.good.shown} of {seen.good.runs} runs, "
            f"the bad end {seen.bad.shown} of {seen.bad.runs}"
        )
    return ""


def accepted(state: State, commits: int) -> State:
    """Return the state with its good end as good, where it passes for one though some of its runs show the symptom."""
    good = state.step(Role.GOOD_END)
    if good is None or good.term is not Term.BAD or ends(state, commits):
        return state
    return replace(state, steps=tuple(replace(s, term=Term.GOOD) if s is good else s for s in state.steps))


def remarks(state: State) -> tuple[str, ...]:
    """Say what a reader must know of the ends to read the answer right."""
    bad, good = state.ends
    if bad and good and symptom.learn(bad.observations, good.observations).refusing:
        return ("the good end does not offer the test: the answer may be what offers it, and the fault older",)
    return ()


def path(state: State, commits: int) -> float:
    """Return how sure it is that every answered step is what it was taken for: the product over the steps."""
    weights = rule(state, commits).odds
    if weights is None:
        return 0.0
    taken = {s.commit: s for s in state.steps if s.role in {Role.SEARCH, Role.CULPRIT, Role.PARENT}}
    total = 1.0
    for commit, step in taken.items():
        if step.term is not Term.SKIP and step.same_as is None:
            bad = weights.bad_given(state.count(commit))
            total *= bad if step.term is Term.BAD else 1 - bad
    return total
