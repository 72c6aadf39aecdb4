"""What is done to a series to see which test notices: hunks and whole patches are taken out, faults are seeded.

Pure but for ``write``.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.config import fragments
from orchestrator.errors import UserError
from orchestrator.host.cache import digest
from orchestrator.model.trial import Trial
from orchestrator.mutation import report
from orchestrator.mutation.faults import SeededFault
from orchestrator.mutation.hunks import Hunk, Kind
from orchestrator.pipeline.values import Job, Patches
from orchestrator.series import series

PLACE = "mutant"
"""The work tree of kernels that lack a mutant: from one to the next only what differs is built."""


@dataclass(frozen=True)
class Mutant:
    """A mutant of a series: one hunk, or those hunks of one patch that make a kernel; or a fault, as a hunk to put in.

    ``key`` changes with the mutant and with the code of the series around it. ``tests`` are globs of those that must
    notice a fault; empty: any may.
    """

    name: str
    identity: str
    key: str
    whole: bool
    hunks: tuple[Hunk, ...]
    tests: tuple[str, ...] = ()

    @property
    def cost(self) -> int:
        """The rank in which mutants are taken out: what rebuilds most of the kernel comes last."""
        wide = any(hunk.kind is Kind.HEADER for hunk in self.hunks)
        return (3 if not self.whole else 2) if wide else int(self.whole)


def planned(hunks: Sequence[Hunk], faults: Iterable[SeededFault], fingerprint: str, variant: str) -> tuple[Mutant, ...]:
    """Return what can make another kernel when it is taken out or seeded, in the order of doing so."""
    mutants = (*_seeded(faults, fingerprint, variant), *_removed(hunks, fingerprint, variant))
    return tuple(sorted(mutants, key=lambda mutant: mutant.cost))


def _removed(hunks: Sequence[Hunk], fingerprint: str, variant: str) -> Iterator[Mutant]:
    """Yield the hunks, and the whole patches of more than one."""
    real = [hunk for hunk in hunks if hunk.kind.makes_a_kernel]
    for hunk in real:
        yield _removal(hunk.name, (hunk,), False, fingerprint, variant)
    for number in sorted({hunk.patch for hunk in real}):
        of_patch = tuple(hunk for hunk in real if hunk.patch == number)
        if len(of_patch) > 1:
            yield _removal(f"{number:04}", of_patch, True, fingerprint, variant)


def _seeded(faults: Iterable[SeededFault], fingerprint: str, variant: str) -> Iterator[Mutant]:
    """Yield the faults that are for a variant."""
    for fault in faults:
        if not fault.variants or variant in fault.variants:
            key = digest(fingerprint, variant, fault.diff, *fault.killed_by)[:20]
            kind = Kind.HEADER if any(file.endswith(".h") for file in fault.files) else Kind.CODE
            hunk = Hunk(0, 1, fault.subject, fault.files[0], fault.subject, kind, fault.diff)
            yield Mutant(f"{report.SEEDED}{fault.name}", hunk.identity, key, False, (hunk,), fault.killed_by)


def _removal(name: str, hunks: tuple[Hunk, ...], whole: bool, fingerprint: str, variant: str) -> Mutant:
    key = digest(fingerprint, variant, *(hunk.data for hunk in hunks))[:20]
    identity = hunks[0].identity if not whole else digest(*(hunk.identity for hunk in hunks))[:10]
    return Mutant(name, identity, key, whole, hunks)


def chosen(mutants: Iterable[Mutant], globs: Sequence[str]) -> Iterator[Mutant]:
    """Yield the mutants whose name or identity a glob names; all of them where there are no globs."""
    for mutant in mutants:
        if not globs or any(fnmatch.fnmatchcase(name, g) for g in globs for name in (mutant.name, mutant.identity)):
            yield mutant


def check(planned: Sequence[Mutant], globs: Sequence[str], faults: Iterable[SeededFault], variant: str) -> None:
    """Refuse a glob that picks nothing: what was asked for would look as if it had been done. Raises UserError."""
    known = tuple(faults)
    for glob in globs:
        if any(chosen(planned, [glob])):
            continue
        named = [fault for fault in known if fnmatch.fnmatchcase(f"{report.SEEDED}{fault.name}", glob)]
        for fault in named[:1]:
            name, others = f"{report.SEEDED}{fault.name}", ", ".join(fault.variants)
            raise UserError(f"--only {glob}: {name} is for variant {others}, and this is {variant}")
        raise UserError(f"--only {glob}: none of the {len(planned)} mutants has that name or id")


def on_top(mutant: Mutant, hunks: Sequence[Hunk]) -> Patches:
    """Return the diffs of hunks, the last one first, as a series that goes on top of the whole."""
    files = [(f"{number:04}.diff", hunk.data) for number, hunk in enumerate(reversed(hunks), 1)]
    return Patches(series.parse(mutant.name, files), three_way=True)


def without(job: Job, mutant: Mutant, carry: Patches, trial: Trial) -> Job:
    """Return the job that tests the series without a mutant (or with a fault).

    Its kernel is its own: it goes when the mutant is judged, and without the last patch it is the one of a prefix.
    """
    name = f"{job.name}.without.{mutant.name.replace('/', '-')}"
    extra = (*job.extra_series, carry)
    return replace(beside(job, name), extra_series=extra, trial=trial, kernel_for=mutant.name)


def beside(job: Job, name: str) -> Job:
    """Return the job as mutants are built: in a work tree of their own, without debug information, untraced."""
    variant = job.variant_config
    files = fragments.without_debug_info(variant.fragments)
    lean = variant.model_copy(update={"fragments": files})
    return replace(job, name=name, worktree=PLACE, variant_config=lean, coverage=False)
