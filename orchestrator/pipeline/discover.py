"""The tests that there are, asked of their programs on this host: a name typed wrong is found before anything runs."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator import suite
from orchestrator.config.suites import Suite
from orchestrator.errors import InfraError, UserError
from orchestrator.host import process, scratch
from orchestrator.host.cache import digest
from orchestrator.host.disk import write_atomic
from orchestrator.host.process import Deadline
from orchestrator.kbuild import programs
from orchestrator.model import Programs, expectations_file
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.values import Job, Pair, Plan
from orchestrator.suite import sources
from orchestrator.text import wording

Known = Mapping[str, tuple[str, ...] | None]
"""The tests of each suite; None where they are not known on this host."""

RECIPE = "1"
"""Part of the name of every list that is kept: counted up by a change of how one is read."""
_EVERY = "*"
_PATIENCE = 10.0
"""Seconds in which a program must have listed its tests."""


def narrowed(planned: Plan, workspace: Workspace) -> Plan:
    """Return the plan without the suites in which nobody asked for a test, and without jobs that have no other.

    Raises as ``check``, and where expectations name a test that there is none of.
    """
    known = check(planned.jobs, workspace)
    _check_expectations(planned.jobs, known, workspace)
    jobs = {job.name: _narrowed(job, known) for job in planned.jobs}
    if left_out := [name for name, job in jobs.items() if not job.suites]:
        workspace.progress.note(f"left out, for none of their tests was asked for: {', '.join(left_out)}")
    for name, losing in _lost(planned.jobs, jobs).items():
        workspace.progress.note(f"suite {name} is left out of {wording.some(losing)}: none of its tests was asked for")
    return replace(
        planned,
        pairs=tuple(
            Pair(base, patched)
            for base, patched in ((jobs[pair.base.name], jobs[pair.patched.name]) for pair in planned.pairs)
            if patched.suites
        ),
        singles=tuple(job for job in (jobs[job.name] for job in planned.singles) if job.suites),
    )


@dataclass(frozen=True)
class Listed:
    """A test that a suite has, and what its source says of it."""

    suite: str
    name: str
    sentence: str
    place: str


def listed(planned: Plan, workspace: Workspace) -> Iterator[Listed]:
    """Yield the tests that the jobs of a plan name, each once. Those of a kernel's own programs only a guest knows.

    Raises UserError where a suite does not build, or a glob fits none of its tests.
    """
    check(planned.jobs, workspace)
    for name, config in {name: config for job in planned.jobs for name, config in job.suites}.items():
        globs = dict.fromkeys(glob for job in planned.jobs if name in dict(job.suites) for glob in job.tests)
        known = sources.of_suite(config)
        for test in suite.pick(_tests(name, config, workspace) or (), [*globs]):
            case = sources.of(test, known) or sources.Case("", "")
            yield Listed(name, test, case.sentence, case.place)


def check(jobs: Iterable[Job], workspace: Workspace) -> Known:
    """Refuse a glob over tests that fits no suite of the jobs that it is for; return the tests, by suite.

    Programs of our own are built for that, which is kept. What cannot be asked here is left to the guest.
    Raises UserError, also where a suite does not build.
    """
    narrowing = [job for job in jobs if any(glob != _EVERY for glob in job.tests)]
    suites = {name: config for job in narrowing for name, config in job.suites}
    known = {name: _tests(name, config, workspace) for name, config in suites.items()}
    for tests in {job.tests: None for job in narrowing}:
        theirs = {name: known[name] for job in narrowing if job.tests == tests for name, _ in job.suites}
        _check(tests, theirs)
    return known


def _check_expectations(jobs: Iterable[Job], known: Known, workspace: Workspace) -> None:
    """Refuse expectations of a suite that are about none of its tests: a misspelt id would expect nothing, in silence.

    Programs of a kernel tree are not there yet; what their tests are called only a guest can say.
    """
    expected = {name: expectations for job in jobs for name, expectations in job.expected.items()}
    for name, config in {name: config for job in jobs for name, config in job.suites if config.kind == "own"}.items():
        if config.expected and (tests := known[name] if name in known else _tests(name, config, workspace)):
            expectations_file.check(expected[name], tests, str(config.expected))


def _narrowed(job: Job, known: Known) -> Job:
    """Return the job with the suites that its globs name a test of, and the globs that name a test of those. Pure."""
    tests = {name: known.get(name) for name, _ in job.suites}
    suites = tuple((name, config) for name, config in job.suites if _fits(job.tests, tests[name]))
    return replace(
        job, suites=suites, tests=tuple(g for g in job.tests if any(_fits([g], tests[n]) for n, _ in suites))
    )


def _lost(before: Iterable[Job], after: Mapping[str, Job]) -> dict[str, list[str]]:
    """Return the suites that jobs lose which keep others, each with the names of those jobs. Pure."""
    lost: dict[str, list[str]] = {}
    for job in before:
        kept = dict(after[job.name].suites)
        for name in (name for name, _ in job.suites if kept and name not in kept):
            lost.setdefault(name, []).append(job.name)
    return lost


def _fits(globs: Sequence[str], tests: tuple[str, ...] | None) -> bool:
    return tests is None or bool(suite.pick(tests, globs))


def _check(globs: Iterable[str], known: Known) -> None:
    """Refuse a glob that fits none of the tests. Pure."""
    if None in known.values():
        return
    tests = [test for names in known.values() for test in names or ()]
    for glob in globs:
        if not suite.pick(tests, [glob]):
            hint = wording.nearest(glob, {*tests, *(test.partition("_")[0] for test in tests)})
            raise UserError(
                f"suite {', '.join(known)}: no test matches {glob!r}{hint or f' ({len(tests)} tests there)'}"
            )


def _tests(name: str, config: Suite, workspace: Workspace) -> tuple[str, ...] | None:
    if config.kind != "own":
        return tuple(program.name for program in config.programs)
    deadline = Deadline.after(workspace.pipeline.limits.build)
    try:
        built = programs.build_own(name, config.directory, workspace.cache, workspace.progress, deadline)
        kept = workspace.cache.path("tests", _list_key(built.sha256))
        if (names := _kept(kept)) is None:
            names = _listed_by_copies(built)
            write_atomic(kept, "\n".join(names))
        return tuple(names)
    except (InfraError, OSError):  # the stage that cannot do without it says so
        return None


def _list_key(programs: str) -> str:
    return digest(RECIPE, programs)


def _kept(path: Path) -> list[str] | None:
    """Return what was listed before; None where that is not there, or damaged."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text().splitlines() or None
    return None


def _listed_by_copies(built: Programs) -> list[str]:
    """Ask copies of the programs for their tests: those who ask may not read the cache."""
    with scratch.folder() as folder:
        copy = shutil.copytree(built.directory, folder / "programs")
        folder.chmod(0o755)
        return [test for path in sorted(copy.iterdir()) for test in _listed(path)]


def _listed(program: Path) -> list[str]:
    """Ask one program for its tests, as the guest does."""
    if not (program.is_file() and os.access(program, os.X_OK)):
        return []
    argv: list[str | Path] = [*_as_nobody(), program, "-l"]
    output = process.run(argv, cwd=Path("/"), deadline=Deadline.after(_PATIENCE), offline=True).stdout
    return [line.strip() for line in output.splitlines() if line.strip()]


def _as_nobody() -> list[str]:
    """Return what takes every right from a program that is there to crash kernels, and may take no notice of ``-l``."""
    given_up = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    return ["setpriv", "--no-new-privs", *(given_up if os.geteuid() == 0 else [])]
