"""What is done to a series to see which test notices: hunks and whole patches are taken out, faults are planted.

Pure but for ``write``.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config.schema import SeriesConfig
from orchestrator.host import cache
from orchestrator.host.cache import digest
from orchestrator.model.plan import Hunt, Job
from orchestrator.mutation import report
from orchestrator.mutation.faults import Fault
from orchestrator.mutation.hunks import Hunk, Kind


@dataclass(frozen=True)
class Part:
    """A part of a series: one hunk, or those hunks of one patch that make a kernel; or a fault, as a hunk to put in.

    ``key`` changes with the part and with the code of the series around it. ``tests`` are globs of those that must
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
        """The rank in which parts are taken out: what rebuilds most of the kernel comes last."""
        wide = any(hunk.kind is Kind.HEADER for hunk in self.hunks)
        return (3 if not self.whole else 2) if wide else int(self.whole)


def planned(hunks: Sequence[Hunk], faults: Iterable[Fault], fingerprint: str, variant: str) -> tuple[Part, ...]:
    """Return what can make another kernel when it is taken out or planted, in the order of doing so."""
    found = (*_planted(faults, fingerprint, variant), *_parts(hunks, fingerprint, variant))
    return tuple(sorted(found, key=lambda part: part.cost))


def _parts(hunks: Sequence[Hunk], fingerprint: str, variant: str) -> Iterator[Part]:
    """Yield the hunks, and the whole patches of more than one."""
    real = [hunk for hunk in hunks if hunk.kind.makes_a_kernel]
    for hunk in real:
        yield _part(hunk.name, (hunk,), False, fingerprint, variant)
    for number in sorted({hunk.patch for hunk in real}):
        of_patch = tuple(hunk for hunk in real if hunk.patch == number)
        if len(of_patch) > 1:
            yield _part(f"{number:04}", of_patch, True, fingerprint, variant)


def _planted(faults: Iterable[Fault], fingerprint: str, variant: str) -> Iterator[Part]:
    """Yield the faults that are for a variant."""
    for fault in faults:
        if not fault.variants or variant in fault.variants:
            key = digest(fingerprint, variant, fault.diff, *fault.noticed_by)[:20]
            kind = Kind.HEADER if any(file.endswith(".h") for file in fault.files) else Kind.CODE
            hunk = Hunk(0, 1, fault.subject, fault.files[0], fault.subject, kind, fault.diff)
            yield Part(f"{report.PLANTED}{fault.name}", hunk.identity, key, False, (hunk,), fault.noticed_by)


def _part(name: str, hunks: tuple[Hunk, ...], whole: bool, fingerprint: str, variant: str) -> Part:
    key = digest(fingerprint, variant, *(hunk.diff for hunk in hunks))[:20]
    identity = hunks[0].identity if not whole else digest(*(hunk.identity for hunk in hunks))[:10]
    return Part(name, identity, key, whole, hunks)


def chosen(found: Iterable[Part], globs: Sequence[str]) -> Iterator[Part]:
    """Yield the parts whose name or identity a glob names; all of them where there are no globs."""
    for part in found:
        if not globs or any(fnmatch.fnmatchcase(name, g) for g in globs for name in (part.name, part.identity)):
            yield part


def write(hunks: Sequence[Hunk], folder: Path) -> SeriesConfig:
    """Write the diffs of hunks, the last one first, as a series that goes on top of the whole."""
    for number, hunk in enumerate(reversed(hunks), 1):
        cache.write_atomic(folder / f"{number:04}.diff", hunk.diff)
    return SeriesConfig(path=folder, tree="any", three_way=True)


def without(job: Job, part: Part, carry: SeriesConfig, hunt: Hunt, place: str) -> Job:
    """Return the job that tests the series without a part (or with a fault), in a work tree of its own."""
    name = f"{job.name}.without.{part.name.replace('/', '-')}"
    return replace(job, name=name, carry=(*job.carry, carry), hunt=hunt, place=place)
