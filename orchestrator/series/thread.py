"""Which of many mails are the patches of a series, and in which order (pure): versions, replies, duplicates, covers.

The rules are b4's where it has one: the newest version counts, an answer is no patch, ``0/n`` is a cover letter.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orchestrator.errors import UserError
from orchestrator.series import bounds, reroll
from orchestrator.series.mail import Letter
from orchestrator.text import wording

_LINE = re.compile(
    r"^(?:[-+@ ]|diff --git |(?:rename|copy) (?:from|to) |(?:old|new) mode |index (?=.*\n(?:GIT b|B)inary )).*$", re.M
)
"""A line of a diff, or of its head: a rename, a change of mode and a binary file have no other.

Where a patch is sent again, the index line of a text is that of its new base.
"""

_FILE = re.compile(r"^(?:\+\+\+|---) (?!/dev/null)(?:[^/\n]+/)?([^\t\n]+)", re.M)
"""A file that a diff names."""


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
    letters = placed(_once(letters, notes))
    empty = [letter for letter in letters if letter.kind == "commit" and not letter.diff]
    unread = [letter.label for letter in letters if letter.kind == "diff" and not letter.diff]
    patches = _patches(name, letters, notes)
    if not patches:
        raise UserError(_nothing(name, letters))
    if unread:
        raise UserError(f"series {name}: {unread[0]}: no diff can be read in it")
    patches = patches if is_ordered else _ordered(name, reroll.choose(name, patches, letters, notes), letters, notes)
    bounds.check_patches(name, len(patches))
    notes += _newer(letters, patches)
    notes += [f"left out, an empty commit: {letter.subject}" for letter in empty]
    return Chosen(tuple(patches), _cover(letters, patches), tuple(empty), tuple(notes))


def placed(letters: Sequence[Letter]) -> list[Letter]:
    """Give mails the version and the total that follow from the others."""
    return _with_totals(_with_versions(letters))


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
        marks |= {content(letter)} if letter.is_mail and letter.diff and places[_place(letter)] > 1 else set()
        if not seen.isdisjoint(marks):
            notes.append(f"came twice, and is taken once: {letter.subject}")
        else:
            kept.append(letter)
        seen |= marks
    return kept


def content(letter: Letter) -> tuple[object, ...]:
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
    for version in {reroll.version_of(letter) for letter in letters}:
        sent = [each for each in letters if each.diff and not each.tag.is_reply and reroll.version_of(each) == version]
        places = [each.tag.place for each in sent if each.tag.place is not None]
        if len(set(places)) == len(sent):
            totals[version] = max(places, default=0)

    def totalled(letter: Letter) -> Letter:
        place, total = letter.tag.place, totals.get(reroll.version_of(letter), 0)
        if place is None or not place <= total:
            return letter
        return replace(letter, tag=replace(letter.tag, number=place, total=total))

    return [totalled(letter) for letter in letters]


def _patches(name: str, letters: Sequence[Letter], notes: list[str]) -> list[Letter]:
    """Return the letters that are patches. An answer with a diff in it is one only where it is alone, or numbered.

    Raises UserError where one that is left out may be meant.
    """
    with_diff = [letter for letter in letters if (letter.diff or letter.refusal) and not letter.is_cover]
    sent = [letter for letter in with_diff if not letter.tag.is_reply]
    if not sent:
        _check_answers(name, with_diff)
        return with_diff
    asides = _asides(letters, sent)
    rest = [letter for letter in sent if letter not in asides]
    others = _remarks(letters, sent) if any(letter.tag.total for letter in sent) else _strangers(letters, rest)
    patches = [letter for letter in rest if letter not in others]
    if patches:
        _check_asides(name, asides, patches, letters)
    _check_dotted(name, patches)
    _check_titles(name, patches)
    notes += [f"left out, no patch of the series: {letter.subject}" for letter in with_diff if letter not in patches]
    return patches


def _check_answers(name: str, answers: Sequence[Letter]) -> None:
    """Refuse several answers where one has no number: they may be ways of it, and not one on top of the other."""
    if len(answers) > 1 and not all(letter.tag.total for letter in answers):
        some = wording.some([f"{letter.subject!r} by {letter.author or letter.sender}" for letter in answers])
        raise UserError(f"series {name} holds nothing but answers with a diff: {some}; give one of them alone")


def _check_asides(name: str, asides: Sequence[Letter], patches: Sequence[Letter], letters: Sequence[Letter]) -> None:
    """Refuse a thread in which who sent the series sent a patch without a number, or tag, that may belong to it."""
    known = {letter.message_id: letter for letter in letters if letter.message_id}
    version = max(map(reroll.version_of, patches))
    newest = [letter for letter in patches if reroll.version_of(letter) == version]
    senders, titles = {letter.sender for letter in newest}, {letter.subject for letter in newest}
    totals = {letter.tag.total for letter in newest} - {0}
    lack = "number of the series" if totals else "tag of a patch"
    for letter in asides:
        own = letter.tag.version or reroll.version_of(known.get(letter.in_reply_to, letter))
        if letter.sender not in senders or own < version:
            continue
        if own > version or letter.subject in titles or letter.tag.beside in totals:
            raise UserError(
                f"series {name}: {letter.subject!r} has no {lack}, and may stand for a patch of it or "
                "come on top: give the patches that count alone"
            )


def _asides(letters: Sequence[Letter], sent: Sequence[Letter]) -> list[Letter]:
    """Return the mails that are none of the series: not numbered where others are, or not tagged as a patch.

    They are remarks with a diff in the thread, and the mail that all of it answers to: a report, or an older way of it.
    """
    known = {letter.message_id: letter for letter in letters if letter.message_id}
    is_numbered = any(letter.tag.total for letter in sent)
    marked = [letter for letter in sent if (letter.tag.total if is_numbered else letter.tag.is_patch)]
    answered: dict[str, set[int]] = {}
    for letter in marked:
        for each in reroll.above(letter, known):
            answered.setdefault(each.message_id, set()).add(reroll.version_of(letter))

    def is_aside(letter: Letter) -> bool:
        versions = answered.get(letter.message_id, set())
        is_root = reroll.version_of(letter) in versions if letter.tag.is_patch else is_numbered or bool(versions)
        return is_root or bool(letter.in_reply_to)

    return [letter for letter in sent if marked and letter.is_mail and letter not in marked and is_aside(letter)]


def _strangers(letters: Sequence[Letter], sent: Sequence[Letter]) -> list[Letter]:
    """Return what others sent in answer to a patch, where all others answer to one: their way of it, or a robot's word.

    Patches without a number that answer to the first of them are a series if one sent them all.
    """
    known = {letter.message_id: letter for letter in letters if letter.message_id}
    ids = {letter.message_id for letter in sent}
    first = [letter for letter in sent if not any(each.message_id in ids for each in reroll.above(letter, known))]
    return [letter for letter in sent if letter.sender != first[0].sender] if len(first) == 1 else []


def _check_titles(name: str, patches: Sequence[Letter]) -> None:
    """Refuse a file with two patches without a number that have one title, and change one file: one may be newer."""
    seen: dict[tuple[object, ...], set[str]] = {}
    for letter in patches:
        if not letter.is_mail or letter.tag.total:
            continue
        known = seen.setdefault((letter.label, *_place(letter)), set())
        files = set(_FILE.findall(letter.diff))
        if known & files:
            raise UserError(
                f"series {name} has two patches {letter.subject!r} that are not the same, and neither has a number or "
                "a newer version: give one of them alone"
            )
        known |= files


def _check_dotted(name: str, patches: Sequence[Letter]) -> None:
    """Refuse a patch as v2.1 beside one of its number that is not: which of them is newer is not known."""
    seen: dict[object, Letter] = {}
    for letter in patches:
        place = (letter.tag.number, letter.tag.total) if letter.tag.total else letter.subject
        other = seen.setdefault(place, letter)
        if other.tag.dotted != letter.tag.dotted:
            mixed = wording.some(sorted(each.tag.dotted or f"v{reroll.version_of(each)}" for each in (letter, other)))
            raise UserError(f"series {name} has patch {letter.subject!r} as {mixed}: give one version of it alone")


def _remarks(letters: Sequence[Letter], sent: Sequence[Letter]) -> list[Letter]:
    """Return the patches that answer to one of the same number, by people who sent no other: their way of it."""
    known = {letter.message_id: letter for letter in letters if letter.message_id}
    answers = [letter for letter in sent if _same_number(letter, known.get(letter.in_reply_to))]
    authors = {letter.author for letter in sent if letter not in answers}
    return [letter for letter in answers if letter.author not in authors]


def _same_number(letter: Letter, other: Letter | None) -> bool:
    places = [(each.tag.number, each.tag.total, reroll.version_of(each)) for each in (letter, other) if each]
    return letter.tag.total > 0 and places[:1] == places[1:]


def _ordered(name: str, parts: list[Letter], letters: Sequence[Letter], notes: list[str]) -> list[Letter]:
    """Return the patches in the order of their ``[PATCH n/m]``, or as they came. Raises UserError for a gap."""
    numbered = [part for part in parts if part.tag.total]
    if not numbered:
        return parts
    total = max(part.tag.total for part in numbered)
    numbers = [part.tag.number for part in numbered]
    if twice := sorted({number for number in numbers if numbers.count(number) > 1}):
        raise UserError(f"series {name} has patch {twice[0]}/{total} more than once")
    if len(totals := sorted({part.tag.total for part in numbered})) > 1:
        mixed = wording.some([f"{count} patches" for count in totals], between=" and ")
        raise UserError(f"series {name} holds numbered patches of several series, of {mixed}: give one of them alone")
    gap = reroll.missing(numbered)
    if gap and len(numbered) == 1 and not _has_company(letters, numbered):
        notes.append(f"patch {numbers[0]}/{total} of a series, alone: the others are not here")
    elif gap:
        raise UserError(f"series {name} is not whole: patch {reroll.labels(gap, numbered)} is missing")
    if len(numbered) == len(parts):
        return sorted(parts, key=lambda part: part.tag.number)
    if numbers != sorted(numbers):
        others = wording.some([repr(part.subject) for part in parts if not part.tag.total])
        raise UserError(
            f"series {name} holds numbered patches that are not in order, and others without a number: where {others} "
            "belongs is not known"
        )
    return parts


def _newer(letters: Sequence[Letter], patches: Sequence[Letter]) -> list[str]:
    """Return a note on a newer version of which a cover letter is here, or a mail without a diff, and no patch."""
    taken = max(map(reroll.version_of, patches))
    bare = [each for each in letters if each.is_cover or (each.tag.is_patch and not each.diff)]
    newest = max((reroll.version_of(each) for each in bare if not each.tag.is_reply), default=0)
    return [f"v{taken} is taken: v{newest} is newer, but no patch of it is here"] if newest > taken else []


def _has_company(letters: Sequence[Letter], parts: Sequence[Letter]) -> bool:
    """Whether another mail of the same version is here: a cover letter, or another number but as a mere answer."""
    others = [letter for letter in letters if letter.is_mail and (letter.diff or not letter.tag.is_reply)]
    numbers, versions = {part.tag.number for part in parts}, {reroll.version_of(part) for part in parts}
    return _cover(letters, parts) is not None or any(
        letter.tag.total and letter.tag.number not in numbers and reroll.version_of(letter) in versions
        for letter in others
    )


def _cover(letters: Sequence[Letter], patches: Sequence[Letter]) -> Letter | None:
    """Return the cover letter of these patches: that of their version."""
    covers = [letter for letter in letters if letter.is_cover and not letter.tag.is_reply]
    versions = {reroll.version_of(patch) for patch in patches}
    fitting = [cover for cover in covers if reroll.version_of(cover) in versions]
    return max(fitting, key=reroll.version_of, default=None)
