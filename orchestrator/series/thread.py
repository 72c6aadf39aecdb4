"""Which of many mails are the patches of a series, and in which order (pure): versions, replies, duplicates, covers.

The rules are b4's where it has one: the newest version counts, an answer is no patch, ``0/n`` is a cover letter.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.errors import UserError
from orchestrator.series import bounds
from orchestrator.series.mail import Letter
from orchestrator.text.wording import some

_LINE = re.compile(r"^[-+@ ].*$", re.M)
"""A line of a diff."""


@dataclass(frozen=True)
class Chosen:
    """The patches in their order, the cover letter, and commits without a change; ``notes`` say what was left out."""

    patches: tuple[Letter, ...]
    cover: Letter | None
    empty: tuple[Letter, ...]
    notes: tuple[str, ...]


def choose(name: str, letters: Sequence[Letter], *, is_ordered: bool = False) -> Chosen:
    """Choose the patches of a series; with ``is_ordered`` they keep the order in which they came.

    Raises UserError where there is none, one is missing, or two versions cannot be told apart.
    """
    bounds.check_patches(name, max((letter.tag.total for letter in letters), default=0))
    notes: list[str] = []
    letters = _with_totals(_with_versions(_once(letters, notes)))
    empty = [letter for letter in letters if letter.kind == "commit" and not letter.diff]
    unread = [letter.label for letter in letters if letter.kind == "diff" and not letter.diff]
    patches = _patches(letters, notes)
    if not patches:
        raise UserError(_nothing(name, letters))
    if unread:
        raise UserError(f"series {name}: {unread[0]}: no diff can be read in it")
    patches = patches if is_ordered else _ordered(name, _newest(name, patches, letters, notes), letters, notes)
    bounds.check_patches(name, len(patches))
    notes += [f"left out, an empty commit: {letter.subject}" for letter in empty]
    return Chosen(tuple(patches), _cover(letters, patches), tuple(empty), tuple(notes))


def _nothing(name: str, letters: Sequence[Letter]) -> str:
    if any(letter.kind == "commit" for letter in letters):
        return f"series {name} is empty: none of its {len(letters)} commits changes a file"
    return f"series {name} is empty: no patch in it"


def _once(letters: Sequence[Letter], notes: list[str]) -> list[Letter]:
    """Return each mail once: two of one id, or with one title, number and diff, are one that came two ways."""
    kept: list[Letter] = []
    seen: set[object] = set()
    places = Counter(_place(letter) for letter in letters)
    for letter in letters:
        marks: set[object] = {("id", letter.message_id)} if letter.message_id else set()
        marks |= {_content(letter)} if letter.is_mail and letter.diff and places[_place(letter)] > 1 else set()
        if not seen.isdisjoint(marks):
            notes.append(f"came twice, and is taken once: {letter.subject}")
        else:
            kept.append(letter)
        seen |= marks
    return kept


def _content(letter: Letter) -> tuple[object, ...]:
    """Return what is alike in two copies of a mail: lists put lines of their own around it."""
    digest = hashlib.sha256()
    for line in _LINE.finditer(letter.diff):
        if line[0] != "-- ":
            digest.update(line[0].rstrip().encode() + b"\n")
    return *_place(letter), digest.digest()


def _place(letter: Letter) -> tuple[object, ...]:
    return letter.subject, letter.tag.number, letter.tag.total, letter.tag.version


def _with_versions(letters: Iterable[Letter]) -> list[Letter]:
    """Give a patch without a version that of the cover letter, or first patch, which it answers to."""
    known = {letter.message_id: letter for letter in letters if letter.message_id}

    def versioned(letter: Letter) -> Letter:
        above = known.get(letter.in_reply_to)
        if letter.tag.version or not letter.tag.total or above is None or not above.tag.version or above.tag.is_reply:
            return letter
        if not above.is_cover and above.tag.number != 1:
            return letter
        return replace(letter, tag=replace(letter.tag, version=above.tag.version))

    return [versioned(letter) for letter in letters]


def _with_totals(letters: list[Letter]) -> list[Letter]:
    """Give patches that are numbered without a total the highest number of theirs as one, where each has its own."""
    totals: dict[int, int] = {}
    for version in {_version(letter) for letter in letters}:
        sent = [each for each in letters if each.diff and not each.tag.is_reply and _version(each) == version]
        places = [each.tag.place for each in sent if each.tag.place is not None]
        if len(set(places)) == len(sent):
            totals[version] = max(places, default=0)

    def totalled(letter: Letter) -> Letter:
        place, total = letter.tag.place, totals.get(_version(letter), 0)
        if place is None or not place <= total:
            return letter
        return replace(letter, tag=replace(letter.tag, number=place, total=total))

    return [totalled(letter) for letter in letters]


def _patches(letters: Sequence[Letter], notes: list[str]) -> list[Letter]:
    """Return the letters that are patches. An answer with a diff in it is one only where there is nothing else."""
    with_diff = [letter for letter in letters if (letter.diff or letter.refusal) and not letter.is_cover]
    sent = [letter for letter in with_diff if not letter.tag.is_reply]
    if not sent:
        return with_diff
    numbered = any(letter.tag.total for letter in sent)
    remarks = _remarks(letters, sent)
    patches = [letter for letter in sent if not (numbered and _is_aside(letter)) and letter not in remarks]
    notes += [f"left out, no patch of the series: {letter.subject}" for letter in with_diff if letter not in patches]
    return patches


def _is_aside(letter: Letter) -> bool:
    """Whether a mail in the thread of a numbered series is a remark with a diff in it."""
    return letter.is_mail and not letter.tag.total and bool(letter.in_reply_to or not letter.tag.is_patch)


def _remarks(letters: Sequence[Letter], sent: Sequence[Letter]) -> list[Letter]:
    """Return the patches that answer to one of the same number, by people who sent no other: their way of it."""
    known = {letter.message_id: letter for letter in letters if letter.message_id}
    answers = [letter for letter in sent if _same_number(letter, known.get(letter.in_reply_to))]
    authors = {letter.author for letter in sent if letter not in answers}
    return [letter for letter in answers if letter.author not in authors]


def _same_number(letter: Letter, other: Letter | None) -> bool:
    places = [(each.tag.number, each.tag.total, _version(each)) for each in (letter, other) if each]
    return letter.tag.total > 0 and places[:1] == places[1:]


def _version(letter: Letter) -> int:
    return letter.tag.version or 1


def _newest(name: str, patches: list[Letter], letters: Sequence[Letter], notes: list[str]) -> list[Letter]:
    """Return the patches of the newest version, where it stands for the older ones. Raises UserError."""
    versions = sorted({_version(letter) for letter in patches})
    if len(versions) == 1:
        return patches
    newest = [letter for letter in patches if _version(letter) == versions[-1]]
    if rerolled := _rerolled(newest, patches, letters, notes):
        return rerolled
    older = [letter for letter in patches if letter not in newest]
    gap = _missing(newest) if all(letter.tag.total for letter in newest) else []
    strangers = {letter.subject for letter in older} - {letter.subject for letter in newest}
    whole = not gap if newest[0].tag.total else not strangers
    if not whole:
        why = f"patch {_numbers(gap, newest)} is missing" if gap else f"it has no {some(sorted(strangers))}"
        mixed = some([f"v{version}" for version in versions], between=" and ")
        raise UserError(f"series {name} holds patches of {mixed}, and v{versions[-1]} does not stand for all: {why}")
    notes.append(f"v{versions[-1]} is taken; older versions are left out: {some([f'v{v}' for v in versions[:-1]])}")
    return newest


def _rerolled(newest: list[Letter], patches: list[Letter], letters: Sequence[Letter], notes: list[str]) -> list[Letter]:
    """Return a partial reroll with the patches that it lacks; nothing where it is none, or they are not here either."""
    version = _version(newest[0])
    whole = _with_those_before(version, patches, {letter.message_id: letter for letter in letters if letter.message_id})
    if len(whole) == len(newest) or len({letter.tag.total for letter in whole}) > 1 or _missing(whole):
        return []
    older = [f"v{number}" for number in sorted({_version(letter) for letter in whole if letter not in newest})]
    again = _numbers([letter.tag.number for letter in newest], newest)
    notes.append(f"v{version} is of patch {again} alone: the others are those of {some(older)}")
    return whole


def _with_those_before(version: int, patches: list[Letter], known: Mapping[str, Letter]) -> list[Letter]:
    """Return the patches of a version and, where each answers to the one of its number, the others of the one before.

    The rule is b4's (LoreMailbox.partial_reroll).
    """
    by_version: dict[int, list[Letter]] = {}
    for letter in patches:
        by_version.setdefault(_version(letter), []).append(letter)
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
    seen = {letter.message_id}
    above = known.get(letter.in_reply_to)
    while above and above.message_id not in seen:
        if (above.tag.number, above.tag.total) == (letter.tag.number, letter.tag.total):
            return True
        seen.add(above.message_id)
        above = known.get(above.in_reply_to)
    return False


def _ordered(name: str, parts: list[Letter], letters: Sequence[Letter], notes: list[str]) -> list[Letter]:
    """Return the patches in the order of their ``[PATCH n/m]``, or as they came. Raises UserError for a gap."""
    if not all(part.tag.total for part in parts):
        return parts
    total = max(part.tag.total for part in parts)
    numbers = [part.tag.number for part in parts]
    if twice := sorted({number for number in numbers if numbers.count(number) > 1}):
        raise UserError(f"series {name} has patch {twice[0]}/{total} more than once")
    gap = _missing(parts)
    if gap and len(parts) == 1 and not _has_company(letters, parts):
        notes.append(f"patch {numbers[0]}/{total} of a series, alone: the others are not here")
    elif gap:
        raise UserError(f"series {name} is not whole: patch {_numbers(gap, parts)} is missing")
    return sorted(parts, key=lambda part: part.tag.number)


def _has_company(letters: Sequence[Letter], parts: Sequence[Letter]) -> bool:
    """Whether another mail of the same version is here, a cover letter or a number in which no diff can be read."""
    others = [letter for letter in letters if letter.is_mail and letter not in parts and not letter.tag.is_reply]
    versions = {_version(part) for part in parts}
    return _cover(letters, parts) is not None or any(
        letter.tag.total and _version(letter) in versions for letter in others
    )


def _missing(parts: Sequence[Letter]) -> list[int]:
    total = max(part.tag.total for part in parts)
    return sorted(set(range(1, total + 1)) - {part.tag.number for part in parts})


def _numbers(numbers: Sequence[int], parts: Sequence[Letter]) -> str:
    total = max(part.tag.total for part in parts)
    return some([f"{number}/{total}" for number in numbers])


def _cover(letters: Sequence[Letter], patches: Sequence[Letter]) -> Letter | None:
    """Return the cover letter of these patches: that of their version, or the only one."""
    covers = [letter for letter in letters if letter.is_cover and not letter.tag.is_reply]
    versions = {_version(patch) for patch in patches}
    fitting = [cover for cover in covers if _version(cover) in versions]
    return max(fitting, key=_version, default=covers[0] if len(covers) == 1 else None)
