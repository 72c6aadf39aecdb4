"""The symptom that is chased: its name, what a try can show of it, and what that means beside the ends. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.errors import UserError
from orchestrator.model import Symptom, SymptomKind
from orchestrator.model.bounds import Bounded

REFUSED = "refused"
"""How a test that the kernel does not offer looks, where that is what the bad end shows."""


class Sight(enum.Enum):
    """What one try at a kernel showed of the symptom."""

    SHOWN = "shown"
    ABSENT = "absent"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    INFRA = "infra"


class Why(enum.Enum):
    """Why a step is skipped."""

    NO_SOURCE = "no source"
    NOT_APPLIED = "does not apply"
    NOT_BUILT = "does not build"
    NOT_BOOTED = "does not boot"
    OTHER = "another failure"
    REFUSED = "the test is not offered"
    UNFIT = "cannot be asked"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Observation(Bounded):
    """One try. ``how`` tells symptoms of one kind apart where it was shown, and is the reason where it is not clear."""

    sight: Sight
    how: str = ""
    why: Why | None = None


@dataclass(frozen=True)
class Reference:
    """What the ends of the bisect showed: ``shown`` are the looks of the symptom on the bad one.

    ``refusing`` says that the good end does not offer the test; then a refusal is no worse than that.
    """

    shown: tuple[str, ...]
    refusing: bool = False


_GLOB = re.compile(r"^[^.]*[*?\[]|\*$")
"""What is meant for a glob. Behind the name of its program, a case is called what its author liked: ``prot.key[0]``."""


def parse(text: str) -> Symptom:
    """Read ``boot``, ``build``, ``test:ID``, ``splat:TITLE``, or an id or a title as it is. Raises UserError."""
    kind, colon, name = text.partition(":")
    if text in {"boot", "build"}:
        return Symptom(SymptomKind(text))
    if colon and kind in {"test", "splat"}:
        symptom = Symptom(SymptomKind(kind), name.strip())
    else:
        symptom = Symptom(SymptomKind.SPLAT if " " in text else SymptomKind.TEST, text)
    if not symptom.name:
        raise UserError(f"--symptom {text}: nothing is named")
    if symptom.kind is SymptomKind.TEST and _GLOB.search(symptom.name):
        raise UserError(f"--symptom {text}: a symptom is one test, not a glob")
    return symptom


def learn(bad: Iterable[Observation], good: Iterable[Observation] = ()) -> Reference:
    """Return what the ends teach: how the symptom looks, and whether a refusal is worse than the good end.

    A bad end that only refuses the test makes the refusal the symptom; where a splat is chased (then the observation
    says why it is no answer) it does not.
    """
    seen = list(bad)
    shown = tuple(dict.fromkeys(s.how for s in seen if s.sight is Sight.SHOWN))
    if not shown and any(s.sight is Sight.REFUSED and s.why is None for s in seen):
        shown = (REFUSED,)
    return Reference(shown, any(s.sight is Sight.REFUSED for s in good) and REFUSED not in shown)


def read(observation: Observation, reference: Reference) -> Observation:
    """Return an observation in the light of the ends: shown, absent, unclear or infra, nothing else."""
    if observation.sight is Sight.REFUSED:
        if REFUSED in reference.shown:
            return Observation(Sight.SHOWN, REFUSED)
        if reference.refusing:
            return Observation(Sight.ABSENT, "refused, as on the good end")
        return Observation(Sight.UNCLEAR, observation.how, Why.REFUSED)
    if observation.sight is Sight.SHOWN and observation.how not in reference.shown:
        return Observation(Sight.UNCLEAR, observation.how, Why.OTHER)
    return observation
