"""What is walked over: the commits of a tree, the patches of a series, or the versions of a package.

All three become a graph of commits that git bisect walks, and a job for each of them.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.bisect import gitbisect
from orchestrator.bisect.gitbisect import Commit, Position
from orchestrator.bisect.values import ALL, Request
from orchestrator.config import loader, overrides
from orchestrator.config.schema import Mode, Pipeline
from orchestrator.config.sources import DebianSource, GitSource, PathSource, Source, TarballSource
from orchestrator.config.suites import Suite
from orchestrator.errors import UserError
from orchestrator.host.process import Deadline
from orchestrator.model import Side, SymptomKind, Tree
from orchestrator.pipeline import discover, plan, suite_requests
from orchestrator.pipeline import job as stages
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.values import Job, Patches
from orchestrator.series import apply
from orchestrator.series import series as series_source
from orchestrator.trees import debian, fetch, local

_MODE = "bisect"
PLACE = "bisect"
"""The work tree of every step: its output folder holds what the step before compiled."""


@dataclass(frozen=True)
class History:
    """A graph, in git's hands, and what each of its commits stands for.

    ``objects`` is the repository that has the commits, None where they are made up for the walk. ``numbers`` counts
    the patches that are applied at a commit, ``versions`` names the version that it stands for.
    """

    template: Job
    place: Path
    objects: Path | None
    good: str
    bad: str
    numbers: Mapping[str, int]
    versions: Mapping[str, str]

    def begin(self) -> Position:
        """Start the walk anew."""
        if self.objects is None:
            gitbisect.line(self.place, list(self.versions.values()))
            return gitbisect.begin_here(self.place, self.good, self.bad)
        return gitbisect.begin(self.place, self.objects, self.good, self.bad)

    def job(self, commit: str) -> Job:
        """Return the job that tests a commit."""
        if commit in self.numbers:
            return replace(self.template, upto=self.numbers[commit], coverage=False)
        return replace(self.template, source=_at(self.template.source, self.versions.get(commit, commit)))

    def label(self, commit: Commit) -> str:
        """Return how a commit is called in a line."""
        if commit.id in self.versions:
            return self.versions[commit.id]
        number = self.numbers.get(commit.id)
        if number is not None:
            return f"{number}/{len(self.numbers) - 1} {commit.subject}" if number else "the base alone"
        return f"{commit.id[:12]} {commit.subject}"

    def name(self, commit: str) -> str:
        """Return the shortest name of a commit."""
        return self.versions.get(commit) or (f"patch {self.numbers[commit]}" if commit in self.numbers else commit[:12])

    def without(self, culprit: Commit) -> Job | None:
        """Return the job for the bad end without a commit; None where that does not come out clean."""
        diff = None if self.versions else gitbisect.reverted(self.place, self.bad, culprit)
        if not diff:
            return None
        job = self.job(self.bad)
        name = f"{job.series or job.tree}-revert"
        revert = series_source.parse(name, [("revert.patch", diff)])
        before = job.patches.series.patches[: job.upto] if job.patches else ()
        whole = replace(revert, patches=(*before, *revert.patches))
        changed = Patches(whole, three_way=job.patches.three_way if job.patches else False)
        return replace(job, series=name, patches=changed, upto=None, side=Side.PATCHED, coverage=False)


def open_history(request: Request, workspace: Workspace, commits: tuple[str, str] | None = None) -> History:
    """Find both ends and what lies between; of a bisect that goes on the ends are the ``commits`` that they were.

    Raises UserError for ends that are not there, InfraError.
    """
    job = _template(request, workspace.pipeline)
    discover.check([job], workspace)
    place = workspace.directory / "bisect.git"
    if request.series:
        return _patches(request, job, place, workspace)
    if isinstance(job.source, DebianSource):
        return _versions(request, job, job.source, place, workspace)
    return _commits(request, job, place, workspace, commits)


def _template(request: Request, pipeline: Pipeline) -> Job:
    """Return the one job of which each step is a variation."""
    mode_name = request.mode or pipeline.default_mode
    loader.check_name(mode_name, pipeline.modes, "mode")
    if request.series and request.carry:
        raise UserError("--carry goes with a history or with versions, not with the patches of a series")
    series = request.series or request.carry
    options = overrides.Options(tree=request.tree, series=series, three_way=request.three_way)
    pipeline, chosen = overrides.overlay(pipeline, mode_name, options)
    mode = pipeline.modes[chosen]
    if chosen == mode_name:
        raise UserError("name what to bisect: --tree, or --series for its patches")
    trees = () if series else mode.trees
    variant = request.variant or mode.variants[0]
    suites = request.suites or mode.suites
    for name in suites:
        loader.check_name(name, pipeline.suites, "suite")
    loader.check_name(variant, pipeline.variants, "variant")
    tests = request.tests or mode.tests
    if request.symptom.kind is SymptomKind.TEST:
        tests = _globs(request.symptom.name, [pipeline.suites[name] for name in suites])
    one = Mode(trees=trees, series=mode.series, variants=(variant,), suites=suites, tests=tests)
    planned = plan.expand(pipeline.model_copy(update={"modes": {_MODE: one}}), _MODE)
    job = planned.pairs[0].patched if series else planned.singles[0]
    return replace(job, worktree=PLACE, expect=None)


def _globs(test: str, suites: Iterable[Suite]) -> tuple[str, ...]:
    """Return globs over what runs where a test does: the programs of these suites that it is, or is a case of.

    A test that is none of them is named as it is written: a message about it says what the user typed.
    """
    programs = {program.name for config in suites for program in config.programs}
    windows = {window for config in suites for window in suite_requests.windows(config, [test])}
    return tuple(map(suite_requests.only, sorted(windows & programs))) or (glob.escape(test),)


def _at(source: Source, revision: str) -> Source:
    if isinstance(source, DebianSource):
        return source.model_copy(update={"version": revision})
    if isinstance(source, TarballSource):
        raise UserError("a tarball has no history: name a git tree, or the series to bisect")
    assert isinstance(source, GitSource | PathSource)
    return source.model_copy(update={"ref": revision})


def _commits(request: Request, job: Job, place: Path, workspace: Workspace, commits: tuple[str, str] | None) -> History:
    if isinstance(job.source, PathSource) and not local.is_git(job.source.path):
        raise UserError(f"{job.source.path} is no git tree: it has no history")
    ends = commits or (request.good, request.bad)
    good, bad = (_fetched(_at(job.source, end), job, workspace) for end in ends)
    if good.commit == bad.commit:
        raise UserError(f"--good and --bad are the same commit, {good.commit[:12]}")
    gitbisect.check_ends(bad.repository, good.commit, bad.commit)
    return History(job, place, bad.repository, good.commit, bad.commit, {}, {})


def _fetched(source: Source, job: Job, workspace: Workspace) -> Tree:
    deadline = Deadline.after(workspace.pipeline.limits.fetch)
    return fetch(source, job.tree, workspace.cache, workspace.progress, deadline)


def _patches(request: Request, job: Job, place: Path, workspace: Workspace) -> History:
    assert job.patches
    loaded, three_way = job.patches.series, job.patches.three_way
    base = stages.based(job, workspace)
    count = len(loaded.patches)
    first, last = _number(request.good, count, "--good"), _number(request.bad, count, "--bad")
    if first >= last:
        raise UserError(f"--good {first} --bad {last}: the bad end has more patches than the good one")
    tip = apply.apply(
        base, loaded, workspace.cache, workspace.progress, three_way=three_way, upto=last, before=job.prerequisites
    )  # fmt: skip
    commits = apply.prefixes(tip)
    numbers = {commit: number for number, commit in enumerate(commits)}
    return History(job, place, tip.repository, commits[first], commits[last], numbers, {})


def _number(text: str, count: int, option: str) -> int:
    if text == ALL:
        return count
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) > count:
        raise UserError(f"{option} {text}: the series has {count} patches; say how many are applied, 0 to {count}")
    return int(text)


def _versions(request: Request, job: Job, source: DebianSource, place: Path, workspace: Workspace) -> History:
    deadline = Deadline.after(workspace.pipeline.limits.fetch)
    there = debian.versions(source, workspace.cache, workspace.progress, deadline)
    for option, version in (("--good", request.good), ("--bad", request.bad)):
        if version not in there:
            raise UserError(f"{option} {version}: suite {source.suite} has {', '.join(there)}")
    span = there[there.index(request.good) : there.index(request.bad) + 1]
    if len(span) < 2:
        raise UserError(f"--good {request.good} is not older than --bad {request.bad}")
    commits = gitbisect.line(place, span)
    return History(job, place, None, commits[0], commits[-1], {}, dict(zip(commits, span, strict=True)))
