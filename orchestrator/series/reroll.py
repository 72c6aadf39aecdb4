"""Which version of a series counts, of those whose patches are here (pure): the newest, made whole from older ones.

The rules are b4's where it has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.errors import UserError
from orchestrator.series.mail import Letter
from orchestrator.text.wording import some


def choose(name: str, patches: list[Letter], letters: Sequence[Letter], notes: list[str]) -> list[Letter]:
    """Return the patches of the newest version, where it stands for the older ones. Raises UserError."""
    versions = sorted({version_of(letter) for letter in patches})
    if len(versions) == 1:
        return patches
    newest = [letter for letter in patches if version_of(letter) == versions[-1]]
    if rerolled := _rerolled(newest, patches, letters, notes):
        return rerolled
    older = [letter for letter in patches if letter not in newest]
    if all(each.tag.is_rfc for each in newest) and any(not each.tag.version and not each.tag.is_rfc for each in older):
        mixed = f"holds an RFC v{versions[-1]} and patches without a version: which are newer is not known"
        raise UserError(f"series {name} {mixed}; give one of them alone")
    gap = missing(newest) if all(letter.tag.total for letter in newest) else []
    strangers = {letter.subject for letter in older} - {letter.subject for letter in newest}
    whole = not gap if newest[0].tag.total else not strangers
    if not whole:
        why = f"patch {labels(gap, newest)} is missing" if gap else f"it has no {some(sorted(strangers))}"
        mixed = some([f"v{version}" for version in versions], between=" and ")
        raise UserError(f"series {name} holds patches of {mixed}, and v{versions[-1]} does not stand for all: {why}")
    notes.append(f"v{versions[-1]} is taken; older versions are left out: {some([f'v{v}' for v in versions[:-1]])}")
    return newest


def _rerolled(newest: list[Letter], patches: list[Letter], letters: Sequence[Letter], notes: list[str]) -> list[Letter]:
    """Return a partial reroll with the patches that it lacks; nothing where it is none, or they are not here either."""
    version = version_of(newest[0])
    whole = _with_those_before(version, patches, {letter.message_id: letter for letter in letters if letter.message_id})
    if len(whole) == len(newest) or len({letter.tag.total for letter in whole}) > 1 or missing(whole):
        return []
    older = [f"v{number}" for number in sorted({version_of(letter) for letter in whole if letter not in newest})]
    again = labels([letter.tag.number for letter in newest], newest)
    notes.append(f"v{version} is of patch {again} alone: the others are those of {some(older)}")
    return whole


def _with_those_before(version: int, patches: list[Letter], known: Mapping[str, Letter]) -> list[Letter]:
    """Return the patches of a version and, where each answers to the one of its number, the others of the one before.

    The rule is b4's (LoreMailbox.partial_reroll).
    """
    by_version: dict[int, list[Letter]] = {}
    for letter in patches:
        by_version.setdefault(version_of(letter), []).append(letter)
    whole: list[Letter] = []
    while own := by_version.get(version):
        numbers = {letter.tag.number for letter in whole}
        whole += [letter for letter in own if letter.tag.number not in numbers]
        if not all(letter.tag.total and _answers_to_its_own(letter, known) for letter in own):
            break
        version -= 1
    return whole


def _answers_to_its_own(letter: Letter, known: Mapping[str, Letter]) -> bool:
    """Whether a mail of the same number stands above one in its thread, however far."""
    own = (letter.tag.number, letter.tag.total)
    return any((each.tag.number, each.tag.total) == own for each in above(letter, known))


def above(letter: Letter, known: Mapping[str, Letter]) -> Iterator[Letter]:
    """Yield the mails that a mail answers to, the nearest first; ``known`` are all mails by their ids."""
    seen = {letter.message_id}
    each = known.get(letter.in_reply_to)
    while each and each.message_id not in seen:
        yield each
        seen.add(each.message_id)
        each = known.get(each.in_reply_to)


def version_of(letter: Letter) -> int:
    """Return the version of a mail; one that names none is of the first."""
    return letter.tag.version or 1


def missing(parts: Sequence[Letter]) -> list[int]:
    """Return the numbers up to the total that none of these patches has."""
    total = max(part.tag.total for part in parts)
    return sorted(set(range(1, total + 1)) - {part.tag.number for part in parts})


def labels(numbers: Sequence[int], parts: Sequence[Letter]) -> str:
    """Return numbers of patches as their tags have them: ``3/7, 4/7``."""
    total = max(part.tag.total for part in parts)
    return some([f"{number}/{total}" for number in numbers])
