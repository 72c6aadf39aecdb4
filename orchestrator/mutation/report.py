"""Which test kills each mutant of a series: what is known of all of them. Pure."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter, ValidationError

from orchestrator.errors import UserError
from orchestrator.model.bounds import WHOLE, Bounded

SEEDED = "fault/"
"""What the name of a fault begins with that was seeded in the series."""
SPLAT = "splat: "
"""What stands before a complaint of the kernel among the tests that noticed a mutant."""
PROBLEM = "problem: "
"""What stands before what is wrong with a program, or with the end of a guest, among them."""
NO_TEST = (SPLAT, PROBLEM)


class Outcome(enum.Enum):
    """What came of taking a mutant out."""

    KILLED = "killed"
    SURVIVED = "survived"
    NOT_ALONE = "does not come out alone"
    NOT_BUILT = "does not build without it"
    EQUIVALENT = "equivalent"
    NOT_RUN = "run by no test"

    @classmethod
    def _missing_(cls, value: object) -> Outcome | None:
        """Read the words that reports had before."""
        return {"noticed": cls.KILLED, "same kernel": cls.EQUIVALENT}.get(str(value))


@dataclass(frozen=True)
class Entry(Bounded):
    """One mutant of the series, or a fault that was seeded in it.

    ``by`` are the tests (or splats, or problems) that noticed, first the one that ended the trial.
    ``doubtful`` tests differed once and not again: they count for nothing. ``tests`` is how many ran, ``suite`` the
    digest of the initramfs that they came in; ``kept`` are hunks of a whole patch that could not be taken out.
    ``where`` is the function, or the subject of a whole patch. With ``every_test`` all tests ran, and ``by`` are
    all that notice; without it, those that noticed up to the first one's program's end. ``round`` names the tests among
    which the first one was, ``after`` how many had run with it, and ``noticed`` what those took, in seconds.
    ``expected`` is a digest of what was expected of those that noticed, or of all where none did, ``budget`` the
    seconds of those that work for a time; no older report has them.
    """

    key: str
    name: str
    identity: str
    where: str
    outcome: Outcome
    by: tuple[str, ...] = field(default=(), metadata=WHOLE)
    detail: str = ""
    tests: int = 0
    seconds: float = 0.0
    suite: str = ""
    doubtful: tuple[str, ...] = field(default=(), metadata=WHOLE)
    kept: tuple[str, ...] = ()
    every_test: bool = False
    round: str = ""
    after: int = 0
    noticed: float = 0.0
    expected: str = ""
    budget: float = 0.0

    @property
    def file(self) -> str:
        """The file of a hunk; empty for a whole patch."""
        return self.name.partition("/")[2].rpartition("/")[0]

    @property
    def is_hole(self) -> bool:
        """Whether no test noticed what one should: a fault that cannot be seeded, or is none, proves nothing."""
        unseen = self.outcome in {Outcome.SURVIVED, Outcome.NOT_RUN}
        return unseen or (self.is_seeded and self.outcome is not Outcome.KILLED)

    @property
    def is_seeded(self) -> bool:
        """Whether this is a fault, and no mutant of the series."""
        return self.name.startswith(SEEDED)

    @property
    def patch(self) -> str:
        """The number of the patch."""
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class Baseline(Bounded):
    """The whole series, run as everything is that lacks a mutant. ``ignored`` tests were not as expected there.

    ``fails_on`` holds every test, and the kernels (columns of the expectations) on which it is known to fail;
    ``seconds`` what each took that was as expected, and ``budget`` the seconds of those that work for a time (no older
    report has them). ``expected`` is a digest of what was expected of them, ``build`` one of the configuration and the
    toolchain of mutants.
    """

    kernel: str
    suite: str
    fails_on: Mapping[str, tuple[str, ...]]
    scale: float
    ignored: tuple[str, ...] = field(default=(), metadata=WHOLE)
    seconds: Mapping[str, float] = field(default_factory=dict)
    budget: float = 0.0
    expected: str = ""
    build: str = ""

    def is_of(self, kernel: str, suite: str, budget: float, expected: str) -> bool:
        """Whether it was measured on this kernel (sha256), in this initramfs, with this budget, against the same."""
        return (self.kernel, self.suite, self.budget, self.expected) == (kernel, suite, budget, expected)


@dataclass(frozen=True)
class Section(Bounded):
    """What is known on one variant. ``left_out`` counts the hunks of each kind that make no other kernel.

    ``earlier`` is what came of mutants that are still to be tried when the rest of the series was another, or
    kernels were built otherwise.
    """

    variant: str
    baseline: Baseline | None = None
    left_out: tuple[tuple[str, int], ...] = ()
    planned: int = 0
    entries: tuple[Entry, ...] = ()
    earlier: tuple[Entry, ...] = ()

    @property
    def tests(self) -> int:
        """How many tests the whole series runs."""
        return len(self.baseline.fails_on) if self.baseline else 0

    def adding(self, entry: Entry) -> Section:
        """Return the section with this entry, in the place of an older one of its key."""
        others = [e for e in self.entries if e.key != entry.key]
        earlier = tuple(e for e in self.earlier if e.identity != entry.identity)
        return replace(self, entries=tuple(sorted([*others, entry], key=lambda e: e.name)), earlier=earlier)

    def renewed(self, planned: Mapping[str, tuple[str, str]]) -> Section:
        """Return the section of a series that may be another by now; ``planned`` has name and identity, by key.

        What the series no longer holds is dropped; what it holds in other surroundings is of an earlier version.
        """
        kept = tuple(replace(e, name=planned[e.key][0]) for e in self.entries if e.key in planned)
        known = {entry.key for entry in kept}
        still = {identity: name for key, (name, identity) in planned.items() if key not in known}
        before = {e.identity: e for e in (*self.earlier, *self.entries) if e.key not in planned}
        earlier = tuple(replace(e, name=still[e.identity]) for e in before.values() if e.identity in still)
        return replace(self, planned=len(planned), entries=kept, earlier=earlier)

    def measured(self, baseline: Baseline) -> Section:
        """Return the section with what the whole series shows now.

        Where kernels are built otherwise than those of its entries were, all of them are to be tried again.
        """
        known, section = self.baseline, replace(self, baseline=baseline)
        if known is None or known.kernel == baseline.kernel or known.build in {"", baseline.build}:
            return section
        before = {e.identity: e for e in (*self.earlier, *self.entries)}
        return replace(section, entries=(), earlier=tuple(before.values()))

    def killed_before(self, identity: str) -> Entry | None:
        """Return what killed a mutant in an earlier version of the series, where a test did."""
        return next((e for e in self.earlier if e.identity == identity and e.outcome is Outcome.KILLED), None)


@dataclass(frozen=True)
class Report(Bounded):
    """All that is known of one series, by variant."""

    series: str
    sections: tuple[Section, ...] = ()

    def section(self, variant: str) -> Section:
        """Return what is known on a variant."""
        return next((s for s in self.sections if s.variant == variant), Section(variant))

    @property
    def tests(self) -> Mapping[str, tuple[str, ...]]:
        """Every test of any variant, and the kernels (columns of the expectations) on which it is known to fail."""
        return {t: on for s in self.sections if s.baseline for t, on in s.baseline.fails_on.items()}

    def never_failed(self) -> Iterator[str]:
        """Yield the tests that failed on no wrong kernel of any variant, and on no other that is known."""
        noticed = {test for known in self.sections for entry in known.entries for test in entry.by}
        for test, kernels in self.tests.items():
            if not kernels and test not in noticed:
                yield test

    def updating(self, section: Section) -> Report:
        """Return the report with this section."""
        others = [s for s in self.sections if s.variant != section.variant]
        return replace(self, sections=tuple(sorted([*others, section], key=lambda s: s.variant)))


_ADAPTER = TypeAdapter(Report)


def dump(report: Report) -> str:
    """Return the report as JSON, with a line end at its end."""
    return _ADAPTER.dump_json(report, indent=1).decode() + "\n"


def load(text: str, name: str) -> Report:
    """Read a report back; ``name`` is what the message calls it. Raises UserError."""
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        raise UserError(f"{name}: not a report of hunks: {error.errors()[0]['msg']}") from error


def likely(entries: Iterable[Entry], name: str, most: int = 24) -> tuple[str, ...]:
    """Return the tests that noticed neighbours of a mutant: of its file, then of its patch; the frequent ones first."""
    patch, _, rest = name.partition("/")
    file = rest.rpartition("/")[0]
    near: Counter[str] = Counter()
    for entry in entries:
        weight = 3 * (bool(file) and entry.file == file) + 2 * (entry.patch == patch)
        for test in entry.by[:1] if weight else ():
            if not test.startswith(NO_TEST):
                near[test] += weight
    return tuple(test for test, _ in near.most_common(most))
