"""Steps → what they prove. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.bisect.gitbisect import Commit
from orchestrator.bisect.symptom import Why
from orchestrator.bisect.values import Role, State, Step
from orchestrator.model import Term, Verdict


@dataclass(frozen=True)
class Conclusion:
    """What is proven: PASS is conclusive. SKIP: skips hide the answer. FAIL: the answer contradicts itself."""

    verdict: Verdict
    reason: str
    notes: tuple[str, ...] = ()


def of_range(candidates: tuple[Commit, ...], labels: tuple[str, ...], state: State) -> Conclusion:
    """Conclude where skips hide the first bad commit."""
    skipped = [step for step in state.searched() if step.term is Term.SKIP]
    causes = ", ".join(f"{number} {why.value}" for why in Why if (number := sum(step.why is why for step in skipped)))
    return Conclusion(
        Verdict.SKIP,
        f"the first bad commit is one of {len(candidates)}: {labels[0]} … {labels[-1]}; the steps between are skipped "
        f"({causes})",
    )


def of_culprit(label: str, state: State, notes: tuple[str, ...]) -> Conclusion:
    """Conclude from the verification of a culprit."""
    shown = state.step(Role.CULPRIT)
    parents = [step for step in state.steps if step.role is Role.PARENT]
    without = state.step(Role.WITHOUT)
    problem = _problem(shown, parents, without)
    if problem:
        verdict, why = problem
        return Conclusion(verdict, f"{label} is not proven to be the first bad commit: {why}", notes)
    proof = ["it shows the symptom", "its parent does not" if len(parents) == 1 else "none of its parents does"]
    if without and without.term is Term.GOOD:
        proof.append("nor does the tip without it")
    elif without:
        notes = (*notes, f"the tip without it cannot be judged: {without.words}")
    return Conclusion(Verdict.PASS, f"the first bad commit is {label}: {', '.join(proof)}", notes)


def _problem(shown: Step | None, parents: list[Step], without: Step | None) -> tuple[Verdict, str] | None:
    """Return what keeps a culprit from being proven: SKIP where a step could not be judged, else FAIL."""
    if shown is None or not parents:
        return Verdict.SKIP, "cannot verify it: there is nothing to compare it with"
    if shown.term is Term.SKIP:
        return Verdict.SKIP, f"cannot verify it: {shown.words}"
    if shown.term is Term.GOOD:
        return Verdict.FAIL, f"run again, it does not show the symptom: {shown.reason}"
    for parent in parents:
        if shown.kernel and shown.kernel == parent.kernel:
            return Verdict.FAIL, "its kernel is the same as its parent's"
        if parent.term is Term.BAD:
            return Verdict.FAIL, f"its parent shows the symptom too: {parent.reason}"
        if parent.term is Term.SKIP:
            return Verdict.SKIP, f"cannot verify it: its parent: {parent.words}"
    if without and without.term is Term.BAD:
        return Verdict.FAIL, f"the tip without it shows the symptom all the same: {without.reason}"
    return None
