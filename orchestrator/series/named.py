"""Which mails of a thread decide over the series that a message-id names (pure): those of its sender, and around them.

Which of them are the patches says ``thread``, as for an mbox.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.errors import UserError
from orchestrator.series import reroll, thread
from orchestrator.series.mail import Letter


def select(name: str, letters: Sequence[Letter], message: str, *, is_newest: bool = True) -> frozenset[str]:
    """Return the ids of the mails that make up the series which a mail of a thread belongs to, and its answers.

    It is the newest version that its sender sent; without ``is_newest`` it is none that is newer than the mail. Raises
    UserError where the mail is not there, or belongs to no whole series.
    """
    placed = thread.placed(letters)
    known = {letter.message_id: letter for letter in placed if letter.message_id}
    if message not in known:
        raise UserError(f"{name}: the thread has no mail with that message-id")
    mail = known[message]
    own = next((each for each in (mail, *reroll.above(mail, known)) if _is_sent(each)), None)
    # An answer with a diff, where nobody sent a patch, is one alone; of a report counts all that came of it.
    around = [mail] if mail.diff else placed
    chosen = _around(own, placed, known, is_newest=is_newest) if own else around
    ids = frozenset(letter.message_id for letter in chosen)
    _check(name, own, thread.choose(name, [letter for letter in letters if letter.message_id in ids]))
    return ids


def _is_sent(letter: Letter) -> bool:
    """Whether a mail is a patch or a cover letter, and no answer."""
    return not letter.tag.is_reply and bool(letter.diff or letter.refusal or letter.is_cover)


def _around(own: Letter, letters: Sequence[Letter], known: Mapping[str, Letter], *, is_newest: bool) -> list[Letter]:
    """Return the mails of a thread without what does not count beside a patch or cover letter of it."""
    below = _below(_top(own, known), letters, known)
    sent = [each for each in below if _is_sent(each) and each.sender == own.sender]
    if not is_newest:
        late = [each for each in sent if reroll.version_of(each) > reroll.version_of(own)]
        return [each for each in _without_strangers(own, below, known) if each not in late]
    version, titles = max(map(reroll.version_of, sent)), {each.subject for each in sent}
    apart = [
        each
        for each in letters
        if _is_sent(each) and each.sender == own.sender
        if each.subject in titles and reroll.version_of(each) > version
    ]
    if apart:
        below = _below(_top(max(apart, key=reroll.version_of), known), letters, known)
    return _without_strangers(own, below, known)


def _top(own: Letter, known: Mapping[str, Letter]) -> Letter:
    """Return the uppermost mail of a series, of its oldest version where that one's sender answered with the next."""
    top = own
    for each in reroll.above(own, known):
        if _is_sent(each):
            if not _goes_on(top, each):
                break
            top = each
    return top


def _goes_on(letter: Letter, above: Letter) -> bool:
    """Whether a series goes on above one of its mails. A patch without a number is one of its own, as to b4."""
    if reroll.version_of(above) < reroll.version_of(letter):
        return above.sender == letter.sender
    is_beside = above.sender == letter.sender or above.tag.number != letter.tag.number
    return _series(above) == _series(letter) and letter.tag.total > 0 and not letter.is_cover and is_beside


def _series(letter: Letter) -> tuple[int, int]:
    return reroll.version_of(letter), letter.tag.total


def _below(top: Letter, letters: Sequence[Letter], known: Mapping[str, Letter]) -> list[Letter]:
    ids = {top.message_id}
    return [
        letter
        for letter in letters
        if letter.message_id in ids or any(each.message_id in ids for each in reroll.above(letter, known))
    ]


def _without_strangers(own: Letter, letters: Sequence[Letter], known: Mapping[str, Letter]) -> list[Letter]:
    """Leave out the series of others. What they answer to a patch stays: it is left out later, with a note."""
    series = {_series(letter) for letter in letters if _is_sent(letter) and letter.sender == own.sender}

    def stays(letter: Letter) -> bool:
        if letter.sender == own.sender or not _is_sent(letter):
            return True
        if letter.tag.total:
            return _series(letter) in series
        above = next((each for each in reroll.above(letter, known) if _is_sent(each)), own)
        return above.sender == own.sender

    return [letter for letter in letters if stays(letter)]


def _check(name: str, own: Letter | None, chosen: thread.Chosen) -> None:
    """Refuse a gap, and a series that is not that of the mail, nor a newer version of it. Raises UserError."""
    patches = chosen.patches
    if all(patch.tag.total for patch in patches) and (gap := reroll.missing(patches)):
        raise UserError(f"series {name} is not whole: patch {reroll.labels(gap, patches)} is missing")
    if own is None:
        return
    newest, version = max(map(reroll.version_of, patches)), reroll.version_of(own)
    is_there = own.is_cover or thread.content(own) in {thread.content(patch) for patch in patches}
    if newest < version or (newest == version and not is_there):
        raise UserError(f"{name}: {own.subject!r} is no patch of the series in its thread")
