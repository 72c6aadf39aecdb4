"""Bisect: which commit, patch or version brings a symptom; the ends confirmed first, the answer verified last.

Everything that is known stands in ``state.json`` of the run's folder, written after each step, and all else is worked
out from it: to go on after a kill is to run again in the same folder.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.bisect import conclusion, gitbisect, history, judge, prefetch, report, test_commit, values
from orchestrator.bisect.conclusion import Conclusion
from orchestrator.bisect.gitbisect import Commit, Position
from orchestrator.bisect.history import History
from orchestrator.bisect.test_commit import Target
from orchestrator.bisect.values import Outcome, Request, Role, State, Step
from orchestrator.engine.local import LocalEngine
from orchestrator.engine.slots import Capacity
from orchestrator.engine.task import Engine
from orchestrator.errors import Exit, InfraError, UserError
from orchestrator.host import cache, cores, disk
from orchestrator.model import Verdict
from orchestrator.pipeline import suite_programs
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.values import Job
from orchestrator.text import textfile

__all__ = ["Outcome", "Request", "run"]

_VERIFICATION = 3
"""Steps that verify an answer, as a rule."""


def run(request: Request, workspace: Workspace, elsewhere: Engine | None = None) -> Outcome:
    """Bisect in the folder of the workspace, which is this bisect's alone; what an earlier call left there is gone on.

    With other machines, ``elsewhere``, what may be next is built there.

    Faults of the host end it with an outcome from which another call goes on. Raises UserError for a request that
    names what is not there, KernelError for a series that does not apply.
    """
    name = workspace.directory.name
    workspace.progress.note(f"bisect {name}: where it is interrupted, `wpci bisect --continue {name}` goes on")
    with workspace.cache.lock(f"bisect-{name}", workspace.progress):
        begun = _begun(request, workspace)
        walked = history.open_history(request, workspace, begun.commits if begun else None)
        state = _opened(begun, request, walked, workspace)
        workspace = elsewhere.sharing(workspace) if elsewhere else workspace
        builds = prefetch.Prefetch(workspace, elsewhere or _beside(request, walked, workspace))
        walk = _Walk(walked, workspace, state, builds)
        try:
            outcome = walk.to_the_end()
        except InfraError as error:
            reason = f"the host failed: {error}; `wpci bisect --continue {name}` goes on"
            outcome = walk.outcome(Conclusion(Verdict.INFRA, reason), Position(None))
        finally:
            walk.prefetch.stop()
        report.write(outcome, walk.log)
        return outcome


def _begun(request: Request, workspace: Workspace) -> State | None:
    """Return the state that lies in the folder, if there is one. Raises UserError where it is another bisect's."""
    path = workspace.directory / values.STATE
    if not path.exists():
        return None
    state = values.load(textfile.read(path), str(path))
    if state.request != request:
        raise UserError(f"{path} is of another bisect")
    return state


def _opened(begun: State | None, request: Request, walked: History, workspace: Workspace) -> State:
    """Return the state to go on from, or write down a new one. Raises UserError where it does not fit any more."""
    fingerprint = _fingerprint(walked)
    path = workspace.directory / values.STATE
    if begun is None:
        begun = State(request, fingerprint, commits=(walked.good, walked.bad))
        disk.write_atomic(path, values.dump(begun))
    if begun.fingerprint != fingerprint:
        raise UserError(f"{path}: the ends, the variant or the suites have changed since: start a new bisect")
    return begun


def _fingerprint(walked: History) -> str:
    """Return what stands for all that must not change between two steps."""
    job = walked.template
    suites = [f"{name} {config.model_dump_json()}" for name, config in job.suites]
    suites += [f"{path} {now}" for _, config in job.suites for path, now in suite_programs.contents(config).items()]
    carried = "" if job.patches is None or walked.numbers else job.patches.series.digest
    ends = (walked.good, walked.bad)
    return cache.digest(job.variant_config.model_dump_json(), *job.variant_config.fragments, *suites, carried, *ends)


def _beside(request: Request, walked: History, workspace: Workspace) -> Engine | None:
    """Decide whether kernels are built here while guests run, and say so."""
    cpus = walked.template.variant_config.machine.cpus
    spare = cores.spare(cpus, request.ahead)
    if spare:
        workspace.progress.note(f"while a guest runs, what may be next is built; cores for that: {len(spare)}")
    else:
        why = "as asked" if request.ahead is False else f"the guest's {cpus} vCPUs need every core"
        workspace.progress.note(f"nothing is built while a guest runs: {why}")
    return LocalEngine(Capacity(spare, 0), most=1) if spare else None


@dataclass
class _Walk:
    """A bisect on its way. All of it but ``state`` can be made again."""

    history: History
    workspace: Workspace
    state: State
    prefetch: prefetch.Prefetch
    length: int = 0
    estimate: float | None = None
    """How many steps there will be, as far as git can tell."""

    @property
    def log(self) -> str:
        """The log of git bisect so far."""
        return gitbisect.log(self.history.place)

    def to_the_end(self) -> Outcome:
        """Take every step that is not in the state yet, and conclude. Raises InfraError."""
        position = self.history.begin()
        self.length = gitbisect.count(self.history.place, self.history.good, self.history.bad)
        for role, commit in ((Role.BAD_END, self.history.bad), (Role.GOOD_END, self.history.good)):
            self._step(role, commit)
            if problem := judge.ends(self.state, self.length):
                return self.outcome(Conclusion(Verdict.FAIL, problem), Position(None), exit_code=Exit.USER)
        position = self._searched(position)
        return self.outcome(self._concluded(position), position)

    def _searched(self, position: Position) -> Position:
        for step in self.state.searched():
            position = gitbisect.mark(self.history.place, step.term, step.commit)
        while position.following:
            self.estimate = len(self.state.steps) + position.steps + _VERIFICATION
            self.workspace.progress.note(f"{position.left} commits left, about {position.steps} steps")
            step = self._step(Role.SEARCH, position.following)
            position = gitbisect.mark(self.history.place, step.term, step.commit)
            report.write_log(self.workspace.directory, self.log)
        return position

    def _concluded(self, position: Position) -> Conclusion:
        if position.fault:
            return Conclusion(Verdict.FAIL, position.fault)
        candidates = self._described(position.candidates)
        labels = tuple(self.history.label(commit) for commit in candidates)
        if len(candidates) > 1:
            return conclusion.of_range(candidates, labels, self.state)
        notes = self._verified(candidates[0])
        return conclusion.of_culprit(labels[0], self.state, notes)

    def _verified(self, culprit: Commit) -> tuple[str, ...]:
        """Test a culprit once more, its parents, and the tip without it; return the notes on it."""
        self._step(Role.CULPRIT, culprit.id)
        for parent in culprit.parents:
            self._step(Role.PARENT, parent)
        if culprit.id == self.history.bad:
            return ("it is the tip: there is no tip without it that is not its parent",)
        if len(culprit.parents) > 1:
            return ("it is a merge, and none is reverted: the tip without it was not tested",)
        if self.history.versions:
            return ("a version is not taken out of those after it: the tip without it was not tested",)
        job = self.history.without(culprit)
        if job is None:
            return ("it does not revert cleanly from the tip: the tip without it was not tested",)
        self._step(
            Role.WITHOUT, self.history.bad, job, f"{self.history.name(self.history.bad)} without {culprit.id[:12]}"
        )
        return ()

    def _described(self, ids: tuple[str, ...]) -> tuple[Commit, ...]:
        return gitbisect.described(self.history.place, ids)

    def _step(self, role: Role, commit: str, job: Job | None = None, label: str = "") -> Step:
        """Return the step, from the state where it is there."""
        if known := self.state.step(role, commit):
            return known
        self.prefetch.await_(commit)
        label = label or self.history.label(self._described((commit,))[0])
        target = Target(role, commit, label, job or self.history.job(commit))
        self.workspace.progress.advance("steps", len(self.state.steps), self.estimate)
        rule = judge.rule(self.state, self.length)
        step = test_commit.run(target, self.state, rule, self.workspace, lambda: self._prefetch(role, commit))
        self.state = judge.accepted(self.state.followed(step), self.length)
        disk.write_atomic(self.workspace.directory / values.STATE, values.dump(self.state))
        self.workspace.progress.note(report.line(self.state.steps[-1]))
        return self.state.steps[-1]

    def _prefetch(self, role: Role, commit: str) -> None:
        if role is Role.SEARCH:
            candidates = gitbisect.possible_next(self.history.place, commit)
            self.prefetch.start([(candidate, self.history.job(candidate)) for candidate in candidates])

    def outcome(self, concluded: Conclusion, position: Position, exit_code: int | None = None) -> Outcome:
        """Return the outcome of what was concluded."""
        described = self._described(position.candidates) if position.candidates else ()
        return Outcome(
            verdict=concluded.verdict,
            reason=concluded.reason,
            exit_code=concluded.verdict.exit_code if exit_code is None else exit_code,
            state=self.state,
            directory=self.workspace.directory,
            culprit=described[0] if len(described) == 1 else None,
            candidates=described if len(described) > 1 else (),
            confidence=judge.path(self.state, self.length) if all(self.state.ends) else 0.0,
            notes=(*concluded.notes, *judge.remarks(self.state)),
        )
