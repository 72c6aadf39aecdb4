"""What a thing can be: the words of results, jobs and bisects, as enums."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from orchestrator.errors import Exit
from orchestrator.model.bounds import Bounded


class Status(enum.Enum):
    """The outcome of one test on one kernel."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    XFAIL = "xfail"
    ERROR = "error"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    MISSING = "missing"

    @property
    def broken(self) -> bool:
        """Whether a reader must look: the kernel, or the test, did not do its part."""
        return self in {Status.FAIL, Status.ERROR, Status.TIMEOUT, Status.CRASHED, Status.MISSING}

    @property
    def word(self) -> str:
        """The word of a transition: ``works``, ``refused`` or ``broken``."""
        if self is Status.PASS:
            return "works"
        return "broken" if self.broken or self is Status.XFAIL else "refused"


class Verdict(enum.Enum):
    """The judgement of a job, a series or a run."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    INFRA = "infra"

    @property
    def exit_code(self) -> int:
        """What the command ends with where this is the verdict of its run."""
        return Exit[self.name].value

    @property
    def is_red(self) -> bool:
        """Whether it is neither a pass nor left out."""
        return self in {Verdict.FAIL, Verdict.INFRA}


class Stage(enum.Enum):
    """The steps of a job, in their order."""

    SOURCE = "source"
    SERIES = "series"
    BUILD = "build"
    ROOTFS = "rootfs"
    BOOT = "boot"
    SUITE = "suite"


class Side(enum.Enum):
    """Which kernel of a pair a job tests: the base alone, or the base with the series."""

    BASE = "base"
    PATCHED = "patched"


class Accel(enum.Enum):
    """What executes the guest's instructions."""

    KVM = "kvm"
    TCG = "tcg"


class SymptomKind(enum.Enum):
    """What sort of thing a bisect chases."""

    TEST = "test"
    SPLAT = "splat"
    BOOT = "boot"
    BUILD = "build"


@dataclass(frozen=True)
class Symptom(Bounded):
    """What a bisect chases. ``name`` is the id of the test, or the title of the splat (a glob); else empty."""

    kind: SymptomKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.name}" if self.name else self.kind.value


class Term(enum.Enum):
    """What one step of a bisect is, in the words of git bisect."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"
