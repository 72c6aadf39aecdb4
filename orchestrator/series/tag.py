"""What the subject of a mail says before its title (pure): ``[RFC][PATCH net-next v2 3/7]`` and its many spellings.

The title is the one that ``git am`` makes the first line of the commit. Numbers and versions are read as b4 reads
them, and besides as mercurial, quilt and people write them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_COUNT = r"(?:\[\d+\]|\(\d+\)|\^\d+)?"
_OF_A_PATCH = r"(?:patch|rfc|\d\s*(?:/|of)\s*\d)"
"""What stands in the tag of a patch, and not in an index or in the name of a list."""
_REPLY = re.compile(
    rf"(?:re|aw|sv|antw|fwd?|vs){_COUNT}\s*:|re - (?=\[)"
    r"|(?:enc|i|odp|pd|r|ref|reply|res|rif|rv|tr|vá|vl|wg|ynt|απ|πρθ|σχετ|на|ответ|отв|回复|回覆|答复|转发|轉寄|返信)"
    rf"{_COUNT}\s*:(?=[^\[]{{0,80}}(?:\[[^\[\]]*\]\s*)*\[[^\[\]]*{_OF_A_PATCH})"
    r"|[\w ]{1,20}: (?=re:)",
    re.I,
)
"""What mail programs put before the title of an answer, in many languages; rare ones count before a patch's tag."""
_NUMBER = re.compile(
    r"(?:(?<![\d./])|(?<=v\d/)|(?<=v\d\d/))0*(?P<number>\d+)(?:\s*/\s*|\s+of\s+)0*(?P<total>\d+)(?!/?\d|\.\d)",
    re.I,
)
"""``3/7``, ``03/07``, ``3 of 7``. ``5.10/5.15`` and ``5.10/6`` are trees."""
_PLACE = re.compile(
    r"\bpatch.{0,200}?(?:(?<=patch)-?|(?<=[ ,:#]))0{0,3}(?P<place>\d{1,3}) ?(?:/|of\b)? ?[nmx?]{0,3}$", re.I
)
"""``PATCH 3``, ``PATCH v2 03``, ``PATCH 3/n``: a number without a total, at the end of its bracket."""
_BARE = re.compile(r"\(?(?P<tag>(?:(?:rfc|resend) )*patch(?: v\d+)?,? \d+/\d+)[):\s]", re.I)
"""A tag without brackets."""
_BESIDE = re.compile(r"(?<![\d./])\d+(?:\.\d+|[a-z]{1,3})?\s*/\s*0*(?P<total>\d{1,4})(?![\d./])", re.I)
"""``2.5/3``, ``2a/3``, ``4/3``: between the patches of a series, or on top of them. ``5.10/6`` are trees."""
_WIDE = str.maketrans("［］【】（）：", "[][]():")
_VERSION = re.compile(r"(?:(?<![a-z0-9])|(?<=patch)|(?<=rfc)|(?<=resend))v(?P<version>\d{1,4})(?!\d|\.\d|[a-z])", re.I)
_DOTTED = re.compile(r"(?:(?<![a-z0-9])|(?<=patch)|(?<=rfc)|(?<=resend))v\d{1,4}\.\d{1,4}(?![\d.])", re.I)
"""``v2.1``: a version between two, or the tree v5.10."""
_BEHIND = re.compile(r"\s[\[(]\s*(?P<tag>(?:patch\s+)?\d+\s*/\s*\d+)\s*[\])]$", re.I)
_INSIDE = re.compile(r"\[(?P<tag>[^\[\]]*\bpatch[^\[\]]*)\]", re.I)
"""A tag that stands behind other words, as in ``mm: [PATCH 1/2] do it``."""


@dataclass(frozen=True)
class Tag:
    """What stands before a title. ``number`` and ``total`` are those of ``[PATCH n/m]``; ``total`` is 0 without them.

    ``version`` is None where none is written. ``is_patch`` says that a tag speaks of a patch. ``place`` is the number
    of one without a total. ``is_rfc`` says that it asks for comments: the patches after it may begin anew, at 1.
    ``beside`` is the total of a number that is none of a series, as ``2.5/3`` and ``4/3``, where it is no tree.
    ``dotted`` is a version with a dot, or a tree that looks like one.
    """

    title: str
    number: int = 0
    total: int = 0
    version: int | None = None
    is_reply: bool = False
    is_patch: bool = False
    place: int | None = None
    is_rfc: bool = False
    beside: int = 0
    dotted: str = ""


def read(subject: str) -> Tag:
    """Take a subject apart."""
    text = " ".join(subject.split())
    tags, is_reply = _leading(text.translate(_WIDE))
    if not any(_NUMBER.search(tag) for tag in tags):
        tags += [match["tag"] for match in (_INSIDE.search(text), _BEHIND.search(text), _BARE.match(text)) if match]
    words = " ".join(tags)
    number, total = _numbers(words)
    version, beside, dotted = (pattern.search(words) for pattern in (_VERSION, _BESIDE, _DOTTED))
    places = [int(match["place"]) for each in tags if not total and (match := _PLACE.search(each.strip()))]
    return Tag(
        title=title(text),
        number=number,
        total=total,
        version=int(version["version"]) if version else None,
        is_reply=is_reply,
        is_patch=bool(total or re.search("patch", words, re.I)),
        place=next(iter(places), None),
        beside=int(beside["total"]) if beside and not total else 0,
        dotted=dotted[0].lower() if dotted else "",
        is_rfc=re.search(r"\brfc", words, re.I) is not None,
    )


def title(subject: str) -> str:
    """Return a subject without tags and ``Re:``, by the rule of ``git mailinfo`` (cleanup_subject in mailinfo.c)."""
    text = subject
    while text:
        if text[:3].lower() == "re:":
            text = text[3:]
        elif text[0] in " \t:":
            text = text[1:]
        elif text[0] == "[" and "]" in text:
            text = text[text.index("]") + 1 :]
        else:
            break
    return text.strip()


def _leading(text: str) -> tuple[list[str], bool]:
    """Return what stands in brackets before the title, and whether a ``Re:`` stands there, too.

    Behind the tag of a patch the title begins: ``rv:`` and ``fw:`` are subsystems there.
    """
    tags: list[str] = []
    is_reply = is_patch = False
    while text:
        if not is_patch and (match := _REPLY.match(text)):
            is_reply, text = True, text[match.end() :].lstrip()
        elif text.startswith("[") and (end := _closing(text)):
            tags.append(text[1:end])
            is_patch = is_patch or re.search(_OF_A_PATCH, tags[-1], re.I) is not None
            text = text[end + 1 :].lstrip(" :-")
        else:
            break
    return tags, is_reply


def _closing(text: str) -> int:
    """Return where the bracket that opens a text closes, brackets within it counted; 0 where it does not."""
    depth = 0
    for at, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if depth == 0:
            return at
    return 0


def _numbers(words: str) -> tuple[int, int]:
    """Return the last ``n/m`` in which n is not more than m; git writes it last."""
    pairs = [(int(match["number"][:12]), int(match["total"][:12])) for match in _NUMBER.finditer(words)]
    return next(((number, total) for number, total in reversed(pairs) if number <= total and total), (0, 0))
