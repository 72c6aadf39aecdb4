"""A whole run against the history: each job with the nights that it compares with. Pure but for ``compare``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.history import classify, read
from orchestrator.history.classify import Change, Night, Rate, TitleChange
from orchestrator.history.database import Database
from orchestrator.history.values import Job, Run, Seen, StageTime, Test, Whole
from orchestrator.model import Stage, Status, Verdict
from orchestrator.text import wording
from orchestrator.text.wording import STAGES
from orchestrator.verdict import cases, gone
from orchestrator.verdict.findings import CUT_OFF
from orchestrator.verdict.gone import Key, Program
from orchestrator.verdict.outcome import named_program

WINDOW = 30
"""How many runs back a test is looked at."""
_JUDGED = (Stage.SERIES, Stage.BUILD, Stage.BOOT)


@dataclass(frozen=True)
class Finding:
    """One test of one job against its history. ``before`` is its status on the night that it is held against."""

    job: str
    suite: str
    test: str
    change: Change
    before: Status | None
    now: Status | None
    rate: Rate

    @property
    def id(self) -> str:
        """The test in one word: its suite and its name."""
        return f"{self.suite}/{self.test}"


@dataclass(frozen=True)
class SplatFinding:
    """One title of a splat against its history."""

    job: str
    title: str
    change: TitleChange


@dataclass(frozen=True)
class Comparison:
    """A run against the runs before it. ``notes`` say what was not compared, and what differs besides the result."""

    run: Run
    findings: tuple[Finding, ...]
    splats: tuple[SplatFinding, ...]
    notes: tuple[str, ...]

    def of(self, *changes: Change) -> tuple[Finding, ...]:
        """Return the findings of these kinds."""
        return tuple(finding for finding in self.findings if finding.change in changes)


def compare(database: Database, run_id: str, *, window: int = WINDOW) -> Comparison:
    """Return how a run differs from the ``window`` runs of its mode before it. Raises UserError for an unknown run."""
    run = read.run(database, run_id)
    judged = [
        judge(seen, read.before(database, run_id, seen.job.name, limit=window)) for seen in read.seen(database, run_id)
    ]
    return _compared(run, judged)


def compare_last(runs: Sequence[Whole], *, window: int = WINDOW) -> Comparison:
    """Return how the first of some runs of one mode, newest first, differs from the ``window`` runs before it."""
    now, *earlier = runs
    before: dict[str, list[Seen]] = {}
    for seen in (seen for whole in earlier for seen in whole.jobs):
        before.setdefault(seen.job.name, []).append(seen)
    return _compared(now.run, [judge(seen, before.get(seen.job.name, [])[:window]) for seen in now.jobs])


def _compared(run: Run, judged: Sequence[Judged]) -> Comparison:
    return Comparison(
        run=run,
        findings=tuple(finding for one in judged for finding in one.findings),
        splats=tuple(splat for one in judged for splat in one.splats),
        notes=tuple(
            f"{wording.some(jobs, 2)}: {text}"
            for text, jobs in wording.together((note, one.job) for one in judged for note in one.notes)
        )
        + tuple(f"{name}: did not run" for name in run.missing),
    )


@dataclass(frozen=True)
class Judged:
    """The findings of one job."""

    job: str
    findings: tuple[Finding, ...]
    splats: tuple[SplatFinding, ...]
    notes: tuple[str, ...]


def judge(now: Seen, earlier: Sequence[Seen]) -> Judged:
    """Judge one job against the same job on the nights before, newest first."""
    before = [named_as(seen, now) for seen in earlier if comparable(now.job, seen.job)]
    tonight, nights = _nights(now), [_nights(seen) for seen in before]
    last = _last((seen, night) for seen, night in zip(before, nights, strict=True) if _same_request(now, seen))
    missed = {} if _stopped(now) else gone.tests(_statuses(last), _statuses(tonight), _programs([now, *before]))
    unnamed = {key: Night((status,), _content(now)) if status else None for key, status in missed.items()}
    findings = tuple(_finding(now.job.name, key, night, nights) for key, night in {**tonight, **unnamed}.items())
    return Judged(now.job.name, findings, tuple(_splats(now, before)), tuple(_notes(now, earlier, before)))


def _last(alike: Iterable[tuple[Seen, dict[Key, Night]]]) -> dict[Key, Night]:
    """Return what each test showed last, back to the last night that came to its end: a stopped one has a part."""
    last: dict[Key, Night] = {}
    for seen, night in alike:
        last = {**night, **last}
        if night and not _stopped(seen):
            break
    return last


def _statuses(night: dict[Key, Night]) -> dict[Key, Status]:
    return {key: shown.status for key, shown in night.items()}


def _programs(nights: Iterable[Seen]) -> Program:
    """Return what says which program of its suite a test belongs to: itself, where no night knows another."""
    names: dict[str, dict[str, None]] = {}
    for test in (test for seen in nights for test in seen.tests if test.program):
        names.setdefault(test.suite, {})[test.program] = None
    known = {suite: tuple(programs) for suite, programs in names.items()}
    return lambda key: (key[0], named_program(key[1], known.get(key[0], ())) or key[1])


def differing(now: Seen, earlier: Sequence[Seen]) -> dict[str, list[str]]:
    """Return the tests, by suite, whose word is not that of the comparable night that they are held against first."""
    before = [_nights(named_as(seen, now)) for seen in earlier if comparable(now.job, seen.job)]
    changed: dict[str, list[str]] = {}
    for (suite, test), tonight in _nights(now).items():
        had = [night[suite, test] for night in before if (suite, test) in night]
        last = next((night for night in had if tonight.unseen or not night.unseen), None)
        if suite != STAGES and last and last.status.word != tonight.status.word:
            changed.setdefault(suite, []).append(test)
    return changed


def latest(earlier: Sequence[Seen]) -> tuple[Seen, ...]:
    """Return the nights, newest first, with each test only where it ran last in its setting, and last did not.

    To ``differing`` they say the same, and they are a fraction of the size.
    """
    known: set[tuple[object, ...]] = set()
    kept = []
    for seen in (_ended(named_as(seen, earlier[0])) for seen in earlier):
        setting = classify.setting(seen.job.identity) if seen.job.identity else None
        keys = {test: (setting, test.suite, test.name, Night(test.tries, "").unseen) for test in seen.tests}
        tests = tuple(test for test, key in keys.items() if key not in known)
        known |= set(keys.values())
        if tests:
            kept.append(replace(seen, tests=tests, splats=()))
    return tuple(kept)


def _ended(seen: Seen) -> Seen:
    """Return what a job showed without what the host's fault cut off."""
    return replace(seen, tests=tuple(test for test in shown(seen) if test.suite != STAGES))


def named_as(seen: Seen, like: Seen) -> Seen:
    """Return what a job showed, with the names that its cases have in another night: a text may tell the outcome."""
    there, new = _lines(like), dict[Key, dict[str, str]]()
    for program, tests in _lines(seen).items():
        new[program] = cases.names(tests, there.get(program, ()))
    if not any(new.values()):
        return seen
    named = (replace(t, name=new.get((t.suite, t.program), {}).get(t.name, t.name)) for t in seen.tests)
    return replace(seen, tests=tuple(named))


def _lines(seen: Seen) -> dict[Key, list[Test]]:
    """Return the cases whose names are texts, by suite and program."""
    lines: dict[Key, list[Test]] = {}
    for test in seen.tests:
        if test.number:
            lines.setdefault((test.suite, test.program), []).append(test)
    return lines


def comparable(one: Job, other: Job) -> bool:
    """Whether two jobs of one name were done in one setting; a job that came to no guest had none."""
    if one.identity is None or other.identity is None:
        return True
    return classify.setting(one.identity) == classify.setting(other.identity)


def _same_request(one: Seen, other: Seen) -> bool:
    """Whether the same tests were asked for: else one that is not there is not missing."""
    requests = (one.job.requested, other.job.requested)
    return not all(requests) or requests[0] == requests[1]


def _finding(job: str, key: Key, now: Night | None, nights: Sequence[dict[Key, Night]]) -> Finding:
    before = [night[key] for night in nights if key in night]
    earlier = classify.compared(now, before)
    return Finding(
        job,
        *key,
        change=classify.change(now, before),
        before=earlier.status if earlier else None,
        now=now.status if now else None,
        rate=classify.rate([*([now] if now else []), *before]),
    )


def showed_before(seen: Seen, finding: Finding, now: Seen) -> bool:
    """Whether an earlier night showed of a test what a finding of tonight is held against."""
    then = _nights(named_as(seen, now)).get((finding.suite, finding.test))
    return then is not None and then.status is finding.before


def shown(seen: Seen) -> tuple[Test, ...]:
    """Return what there is to judge of a job: its tests, and before them the stages that are judged like tests.

    What the host's fault cut off is no finding about the kernel, and not among them.
    """
    infra = _infra(seen)
    stages = (_as_test(stage) for stage in seen.stages if _is_judged(stage))
    return (*stages, *(test for test in seen.tests if not (infra and test.status in CUT_OFF)))


def _nights(seen: Seen) -> dict[Key, Night]:
    content = _content(seen)
    return {(test.suite, test.name): Night(test.tries, content) for test in shown(seen)}


def _content(seen: Seen) -> str:
    identity = seen.job.identity
    return classify.content(identity) if identity else f"unknown, of {seen.job.run}"


def _is_judged(stage: StageTime) -> bool:
    return stage.stage in _JUDGED and stage.verdict is not Verdict.INFRA


def _as_test(stage: StageTime) -> Test:
    status = Status.FAIL if stage.verdict is Verdict.FAIL else Status.PASS
    return Test(STAGES, stage.stage.value, status, (status,), stage.message, stage.seconds)


def _infra(seen: Seen) -> StageTime | None:
    return next((stage for stage in seen.stages if stage.verdict is Verdict.INFRA), None)


def _stopped(seen: Seen) -> StageTime | None:
    """Return the stage that kept a job from its tests: then that is the finding, not each test that is not there."""
    return next((stage for stage in seen.stages if stage.verdict.is_red), None)


def _splats(now: Seen, before: Sequence[Seen]) -> Iterator[SplatFinding]:
    if not _came_to_a_guest(now):
        return
    guests = [seen for seen in before if _came_to_a_guest(seen)]
    less = _stopped(now) or (guests and not _same_request(now, guests[0]))
    for title, change in classify.title_changes(_titles(now), [_titles(seen) for seen in guests]).items():
        if not (change is TitleChange.GONE and less):
            yield SplatFinding(now.job.name, title, change)


def _came_to_a_guest(seen: Seen) -> bool:
    return bool(seen.tests or seen.splats)


def _titles(seen: Seen) -> dict[str, tuple[str, ...]]:
    """Return the titles that nobody has allowed, each with its others.

    An entry of the allow list that ends makes its title a new one.
    """
    return {splat.title: splat.other_titles for splat in seen.splats if splat.allowed_by is None}


def _notes(now: Seen, earlier: Sequence[Seen], before: Sequence[Seen]) -> Iterator[str]:
    if stopped := _stopped(now):
        yield f"not all of its tests ran: {stopped.stage.value}: {stopped.message}"
    if earlier and earlier[0] not in before and now.job.identity and earlier[0].job.identity:
        what = ", ".join(classify.differing(now.job.identity, earlier[0].job.identity))
        yield f"not compared with run {earlier[0].job.run}, for these differ: {what}"
    elif not earlier:
        yield "no earlier run to compare with"
    if before and not _same_request(now, before[0]):
        yield f"other tests were asked for than in run {before[0].job.run}"
    last = before[0].job.identity if before else None
    if now.job.identity and last and (changed := classify.differing(now.job.identity, last)):
        yield f"changed since run {before[0].job.run}: {', '.join(changed)}"
