"""The last runs of each mode → what the pages show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrator.history import night
from orchestrator.history.classify import Change
from orchestrator.history.night import Finding
from orchestrator.history.values import Job, Occurrence, Test, Title, Whole
from orchestrator.model import RunResult, Side, Status, Transition, Verdict
from orchestrator.site.values import (
    Cell,
    Column,
    Matrix,
    Part,
    SplatHistory,
    StatusChange,
    TestChange,
    TestHistory,
    Track,
)
from orchestrator.text.wording import STAGES
from orchestrator.verdict.gone import Key

SHOWN = (Change.REGRESSED, Change.MISSING, Change.FLAKY, Change.NEW, Change.FIXED)
"""The changes that the front page lists, in its order; of new tests those that are broken."""
LOUD = (Change.REGRESSED, Change.FLAKY, Change.MISSING, Change.FIXED)
"""The changes that a reader looks at in the matrix, in its order."""
_QUIET = len(LOUD)


def transitions(run: RunResult) -> dict[tuple[str, str, str], Transition]:
    """Return the transitions that a run judged, by the patched job, the suite and the test."""
    return {(s.patched.name, t.suite, t.test): t for s in run.series for t in s.transitions}


def unexpected(run: RunResult) -> dict[str, frozenset[Key]]:
    """Return the tests of each job that did not show by themselves what was expected of them, where it knows."""
    return {job.name: frozenset(job.unexpected) for job in run.jobs if job.unexpected is not None}


def tests(parts: Sequence[Part]) -> tuple[TestHistory, ...]:
    """Return every test of the runs in its order: stages first, then by suite and name."""
    tracks: dict[Key, list[Track]] = {}
    for part in parts:
        for key, track in _tracks(part):
            tracks.setdefault(key, []).append(track)
    return tuple(TestHistory(*key, tuple(tracks[key])) for key in sorted(tracks, key=order))


def order(key: Key) -> tuple[bool, str, int, str]:
    """Return what tests are sorted by: stages come first, and in their own order."""
    stages = ("series", "build", "boot")
    is_stage = key[0] == STAGES and key[1] in stages
    return not is_stage, key[0], stages.index(key[1]) if is_stage else 0, key[1]


def _tracks(part: Part) -> Iterator[tuple[Key, Track]]:
    """Yield each test of each job of a mode; every track has a cell for each run."""
    findings = {(f.job, f.suite, f.test): f for f in part.comparison.findings}
    rows: dict[tuple[str, Key], dict[int, Test]] = {}
    jobs: dict[str, dict[int, Job]] = {}
    for number, whole in enumerate(part.runs):
        for seen in whole.jobs:
            jobs.setdefault(seen.job.name, {})[number] = seen.job
            for test in night.shown(seen):
                rows.setdefault((seen.job.name, (test.suite, test.name)), {})[number] = test
    empty = {name: [Cell(w.run, known.get(n)) for n, w in enumerate(part.runs)] for name, known in jobs.items()}
    for (name, key), shown in rows.items():
        cells = list(empty[name])
        for number, test in shown.items():
            cells[number] = Cell(cells[number].run, cells[number].job, test)
        yield key, Track(part.mode, next(iter(jobs[name].values())), tuple(cells), findings.get((name, *key)))


def changes(part: Part) -> tuple[TestChange, ...]:
    """Return what changed, the worst first: each test once, and the jobs in which it did the same together."""
    names = labels([seen.job for seen in part.runs[0].jobs])
    changed: dict[tuple[Change, Key], list[Finding]] = {}
    for finding in part.comparison.of(*SHOWN):
        if finding.change is not Change.NEW or (finding.now and finding.now.broken):
            changed.setdefault((finding.change, (finding.suite, finding.test)), []).append(finding)
    ordered = sorted(changed, key=lambda one: (SHOWN.index(one[0]), order(one[1])))
    return tuple(TestChange(*one, _statuses(changed[one], names)) for one in ordered)


def _statuses(findings: Sequence[Finding], names: Mapping[str, str]) -> tuple[StatusChange, ...]:
    alike: dict[tuple[Status | None, Status | None], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.before, finding.now), []).append(finding)
    return tuple(
        StatusChange(*pair, tuple(names[f.job] for f in them), tuple(f.rate for f in them))
        for pair, them in alike.items()
    )


def labels(jobs: Sequence[Job]) -> dict[str, str]:
    """Return a short name for each job of a run: its variant, where that and the side tell them apart."""
    short = {job.name: job.variant if job.series else f"{job.variant} (base)" for job in jobs}
    if len(set(short.values())) < len(short):
        return {job.name: job.name for job in jobs}
    alone = not any(job.series for job in jobs)
    return {job.name: job.variant for job in jobs} if alone else short


def matrices(part: Part) -> tuple[Matrix, ...]:
    """Return the last run as tests × jobs, tree by tree; base and patched of a variant stand side by side."""
    whole = part.runs[0]
    findings: dict[str, dict[Key, Finding]] = {}
    for finding in part.comparison.findings:
        findings.setdefault(finding.job, {})[finding.suite, finding.test] = finding
    columns = [_column(whole, number, part, findings) for number in range(len(whole.jobs))]
    trees = dict.fromkeys(column.job.tree for column in columns)
    return tuple(_matrix(tree, [c for c in columns if c.job.tree == tree]) for tree in trees)


def _column(whole: Whole, number: int, part: Part, findings: Mapping[str, Mapping[Key, Finding]]) -> Column:
    seen = whole.jobs[number]
    tests = {(test.suite, test.name): test for test in night.shown(seen)}
    charged = frozenset(key for key, test in tests.items() if is_charged(seen.job, test, part))
    return Column(seen.job, tests, findings.get(seen.job.name, {}), charged)


def is_charged(job: Job, test: Test, part: Part) -> bool:
    """Whether a test counts against its job: what was expected to fail does not.

    Where the run's own judgement is not there any more, every broken test of a red job counts.
    """
    if part.transitions is not None and test.suite != STAGES:
        if change := part.transitions.get((job.name, test.suite, test.name)):
            return change.verdict is Verdict.FAIL
        if job.side is Side.BASE and part.has_series_beside(job):
            return False
        if job.name in part.unexpected and (test.suite, test.name) not in part.unexpected[job.name]:
            return False
    return test.status.broken and job.verdict is Verdict.FAIL


def _matrix(tree: str, columns: Sequence[Column]) -> Matrix:
    variants = list(dict.fromkeys(column.job.variant for column in columns))
    ordered = sorted(columns, key=lambda c: (variants.index(c.job.variant), c.job.series is not None))
    keys = sorted({key for column in columns for key in (*column.tests, *_gone(column))}, key=order)
    ranks = {key: min(_rank_of(column, key) for column in columns) for key in keys}
    loud = sorted((key for key in keys if ranks[key] < _QUIET), key=ranks.__getitem__)
    return Matrix(tree, tuple(ordered), tuple(loud), tuple(key for key in keys if ranks[key] == _QUIET))


def _gone(column: Column) -> Iterable[Key]:
    return (key for key, finding in column.findings.items() if finding.change is Change.MISSING)


def _rank_of(column: Column, key: Key) -> int:
    """Return how much a test asks for a look: what is charged most."""
    finding = column.findings.get(key)
    if key in column.charged:
        return 0
    return LOUD.index(finding.change) if finding and finding.change in LOUD else _QUIET


def splats(parts: Sequence[Part], titles: Sequence[Title], newest: Sequence[Occurrence]) -> tuple[SplatHistory, ...]:
    """Return each title with where it was seen; one that the runs do not have, with the last time that it was."""
    by_title: dict[str, list[Occurrence]] = {}
    for part in parts:
        for whole in part.runs:
            for seen in whole.jobs:
                for splat in seen.splats:
                    by_title.setdefault(splat.title, []).append(Occurrence(whole.run, seen.job, splat))
    for one in newest:
        by_title.setdefault(one.splat.title, [one])
    for places in by_title.values():
        places.sort(key=lambda place: place.run.started, reverse=True)
    return tuple(SplatHistory(title, tuple(by_title.get(title.title, ()))) for title in titles)


def last_broken(history: TestHistory, mode: str) -> tuple[tuple[Track, Cell], ...]:
    """Return the newest run in which a test was broken, job by job, in this mode if it ever was broken there.

    What crashed comes first, then the jobs with a series: there it is news.
    """
    broken = [(t, cell) for t in history.tracks for cell in t.cells if cell.test and cell.test.status.word == "broken"]
    newest = max(((t.mode == mode, cell.run.started, cell.run.id) for t, cell in broken), default=None)
    same = [(t, cell) for t, cell in broken if newest == (t.mode == mode, cell.run.started, cell.run.id)]
    return tuple(sorted(same, key=lambda one: (_rank(one[1]), one[0].job.side is Side.BASE, one[0].job.id)))


def _rank(cell: Cell) -> int:
    return 0 if cell.test and cell.test.status is Status.CRASHED else 1
