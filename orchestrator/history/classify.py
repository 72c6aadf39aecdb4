"""Tonight against the nights before: what is new, fixed, regressed, flaky, persistent or missing. Pure.

Two results compare only in the same *setting*: toolchain, accelerator, CPU model, QEMU and machine, and under KVM the
host. The *content*, the kernel and the programs that ran, is what is allowed to change; where it did not change and the
outcome did, the test is flaky. A crash never is.
"""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.model import Identity, Status
from orchestrator.verdict import outcome
from orchestrator.verdict.comparison import SETTING

_Z = 1.96
"""Standard deviations of a 95 % interval."""
_CHANCE = 0.05
"""A streak less likely than this is no chance any more."""
_FLIPS = 3
"""So many changes between broken and not, and a test is flaky even where each night had another kernel."""


class Change(enum.Enum):
    """What one test did since the last comparable night."""

    STEADY = "steady"
    NEW = "new"
    FIXED = "fixed"
    REGRESSED = "regressed"
    FLAKY = "flaky"
    PERSISTENT = "persistent"
    MISSING = "missing"


class TitleChange(enum.Enum):
    """What a title of a splat is to the nights before."""

    NEW = "new"
    KNOWN = "known"
    GONE = "gone"


@dataclass(frozen=True)
class Rate:
    """How often a test was broken, also as it expects itself, in tries; from ``low`` to ``high`` are 95 % (Wilson)."""

    broken: int
    tries: int
    low: float
    high: float


@dataclass(frozen=True)
class Night:
    """What one test showed in one run: ``tries`` oldest first, on a ``content`` (equal text, equal content)."""

    tries: tuple[Status, ...]
    content: str

    @property
    def status(self) -> Status:
        """The worst of the tries."""
        return outcome.worst(self.tries)

    @property
    def split(self) -> bool:
        """Whether the tries contradict one another."""
        return outcome.differ(self.tries)

    @property
    def broken(self) -> bool:
        """Whether it was broken, as a change of the night counts it."""
        return _is_broken(self.status)

    @property
    def unseen(self) -> bool:
        """Whether the test was expected and did not run."""
        return set(self.tries) == {Status.MISSING}


def setting(identity: Identity) -> tuple[str, ...]:
    """Return what must agree for two results to compare."""
    return tuple(value for name in SETTING if (value := getattr(identity, name)) or name != "host")


def content(identity: Identity) -> str:
    """Return what was tested: the kernel, and the programs that tested it."""
    return f"{identity.kernel} {identity.rootfs}"


def differing(one: Identity, other: Identity) -> tuple[str, ...]:
    """Return the names of what two identities do not share, in words."""
    words = {**SETTING, "rootfs": "test programs"}
    names = ("tree", "config", "toolchain", "accel", "cpu", "qemu", "machine", "rootfs", "host")
    return tuple(words.get(name, name) for name in names if getattr(one, name) != getattr(other, name))


def rate(nights: Sequence[Night]) -> Rate:
    """Return how often a test was broken over some nights."""
    tries = [status for night in nights for status in night.tries]
    broken = sum(map(_is_broken, tries))
    return Rate(broken, len(tries), *wilson(broken, len(tries)))


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Return the Wilson score interval of 95 % for a share; that of nothing is everything.

    It holds for few tries and for shares near 0 and 1, where the plain normal interval does not (Wilson, 1927).
    """
    if not total:
        return 0.0, 1.0
    share, weight = hits / total, _Z * _Z / total
    centre = (share + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * math.sqrt(share * (1 - share) / total + weight / (4 * total))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def change(now: Night | None, before: Sequence[Night]) -> Change:
    """Return what a test did. ``before`` are the comparable nights in which it was seen, newest first.

    ``now`` is None where it was expected tonight, for the last night had it, and is not there.
    """
    if now is None:
        return Change.MISSING
    before = _telling(now, before)
    if flaky(now, before):
        return Change.FLAKY
    earlier = compared(now, before)
    if now.unseen and (earlier is None or earlier.status.word == "broken"):
        return Change.MISSING
    return _STEPS[earlier.status.word, now.status.word] if earlier else Change.NEW


def compared(now: Night | None, before: Sequence[Night]) -> Night | None:
    """Return the night that tonight is held against: the last one, or the last sure one before a streak.

    While a streak could still be chance, its nights were flaky; on the night on which it cannot any more, it is held
    against what was before it: else what breaks for good after a flake would never have regressed.
    """
    before = _telling(now, before)
    if now and before and flaky(before[0], before[1:]) and not flaky(now, before):
        other = (night for night in before if not night.split and night.status.word != now.status.word)
        return next(other, before[0])
    return before[0] if before else None


def _telling(now: Night | None, before: Sequence[Night]) -> Sequence[Night]:
    """Return the nights that say something beside this one: for a night on which a test ran, those on which it did."""
    return before if now is None or now.unseen else [night for night in before if not night.unseen]


def flaky(now: Night, before: Sequence[Night]) -> bool:
    """Whether chance is the best explanation.

    Tonight's tries differ, or the nights do and the content does not, or they changed to and fro too often; and the
    last streak is not too long for that. Nothing that crashed is flaky, and nothing that is refused for the first time.
    """
    nights = (now, *before)
    shown = {status for night in nights for status in night.tries}
    if Status.CRASHED in shown:
        return False
    if now.split:
        return True
    if now.status.word == "refused" and all(night.status.word != "refused" for night in before):
        return False
    return (_contradicted(nights) or _flips(nights) >= _FLIPS) and not _settled(nights)


def _contradicted(nights: Sequence[Night]) -> bool:
    """Whether one content was seen broken and not broken."""
    broken = {night.content for night in nights for status in night.tries if _is_broken(status)}
    return any(night.content in broken for night in nights for status in night.tries if not _is_broken(status))


def _flips(nights: Sequence[Night]) -> int:
    return sum(one.broken != other.broken for one, other in itertools.pairwise(nights))


def _settled(nights: Sequence[Night]) -> bool:
    """Whether the newest streak has more tries than the rate of the nights before it explains."""
    state = nights[0].broken
    streak = list(itertools.takewhile(lambda n: n.broken is state and not n.split, nights))
    rest, tries = rate(nights[len(streak) :]), sum(len(night.tries) for night in streak)
    return (rest.high if state else 1 - rest.low) ** tries < _CHANCE


def _is_broken(status: Status) -> bool:
    """Whether a try counts as broken: by the word of a transition, as the steps below do."""
    return status.word == "broken"


_STEPS: Mapping[tuple[str, str], Change] = {
    ("works", "works"): Change.STEADY,
    ("refused", "refused"): Change.STEADY,
    ("broken", "broken"): Change.PERSISTENT,
    ("works", "broken"): Change.REGRESSED,
    ("refused", "broken"): Change.REGRESSED,
    ("works", "refused"): Change.REGRESSED,
    ("refused", "works"): Change.FIXED,
    ("broken", "works"): Change.FIXED,
    ("broken", "refused"): Change.MISSING,  # it does not run any more: nothing says that it is fixed
}


def title_changes(now: Mapping[str, Collection[str]], before: Sequence[Collection[str]]) -> dict[str, TitleChange]:
    """Return what each title is. ``now`` has with each those under which older rules or kernels knew the same bug.

    ``before`` are those of the comparable nights, newest first. Gone is what the last night had; what was gone longer
    is not reported every night.
    """
    known = {title for night in before for title in night}
    seen = {title: known.isdisjoint({title, *others}) for title, others in now.items()}
    shown = {title: TitleChange.NEW if new else TitleChange.KNOWN for title, new in seen.items()}
    still = {name for title, others in now.items() for name in (title, *others)}
    return {**{title: TitleChange.GONE for title in (before[0] if before else ()) if title not in still}, **shown}
