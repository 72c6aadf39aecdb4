"""The lines of a report → the functions of its stack. Pure.

One stack is printed in many ways: with offsets, with lines of code behind them as ``scripts/decode_stacktrace.sh``
adds, with inlined functions in between, and in the words of several architectures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NAME = r"[A-Za-z_][\w.]*"

SUFFIX = re.compile(r"\.(?:isra|constprop|part|cold|llvm)(?:\.\d+)*")
"""What the compiler appends to the name of a function that it has split or cloned."""

_ADDRESS = r"\[<?(?:0x)?[0-9a-f]{8,16}>?\]"
_OFFSET = r"\+0x[0-9a-f]{1,8}(?:/0x[0-9a-f]{1,8})?"
_PLACE = r"\(?[\w./+-]{1,200}\.(?:[chS]|rs):\d{1,6}\b"
_ADDRESSES = rf"(?:{_ADDRESS} {{0,4}}){{0,2}}"
_FRAME = re.compile(
    rf"\s{{0,12}}(?:(?:<\w{{1,12}}>|Backtrace:) {{1,4}})?{_ADDRESSES}(?P<guess>\? )?\(?(?P<name>{NAME})\)?"
    rf"(?:{_OFFSET}|\s{{1,4}}{_PLACE}| from )"
)
_INLINE = re.compile(rf"\s{{0,12}}\[<  {{0,8}}inline  {{0,8}}>\] (?P<name>{NAME}) ")
_POINTER = re.compile(
    r"\s{0,8}(?:RIP: 0?0[012][08]:|EIP(?: is at|:) ?|[Pp][Cc](?: is at| :) ?|epc {1,3}: ?(?:[0-9a-f]{8,16} )?"
    rf"|NIP |IP: ?){_ADDRESSES}(?:\? )?(?P<name>{NAME})(?:{_OFFSET}|\s{{1,4}}{_PLACE})"
)
_TRACE = re.compile(r"\s{0,8}(?:Call [tT]race|[sS]tack backtrace|[bB]acktrace)\b")
_BACKGROUND = re.compile(
    r"\s{0,8}(?:(?:INFO: )?(?:Allocated|Freed) (?:by|in)|Preemption disabled at|Last potentially|Second to last|-> #\d"
    r"|Uninit was|Local variable|the existing dependency|the dependencies between|the shortest dependencies"
    r"|Object (?:allocated|freed) at|(?:HARD|SOFT)IRQ-ON-W at|initial use at|\{(?:HARD|SOFT)IRQ"
    r"|\{[A-Z -]{1,30}\} state was registered at|page last|page_owner)"
    r"|.{0,80}(?:stored|created) at:"
)
"""What is told of the past of an object or a lock, with a stack of its own."""


@dataclass(frozen=True)
class Frame:
    """A function on the stack. A guess is an address that lies there, which may be of an earlier call."""

    name: str
    guess: bool = False


def belongs(message: str) -> bool:
    """Whether a line is one of a stack, or has the instruction pointer."""
    return bool(_FRAME.match(message) or _POINTER.match(message) or _INLINE.match(message))


def pointer(messages: Sequence[str]) -> str | None:
    """Return the function that the kernel was in, by its instruction pointer."""
    return next((SUFFIX.sub("", match["name"]) for m in messages if (match := _POINTER.match(m))), None)


def traces(messages: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the functions of each stack, innermost first; the history of the objects it is about is left out.

    Guesses count where there is nothing else.
    """
    for frames in _sections(messages):
        sure = tuple(frame.name for frame in frames if not frame.guess)
        if names := sure or tuple(frame.name for frame in frames):
            yield names


def outermost(names: Sequence[str], skip: re.Pattern[str], entries: re.Pattern[str]) -> str | None:
    """Return the outermost function of the innermost context that has one which is not skipped.

    A context ends with an entry: a function by which an interrupt, a system call or a thread came into the kernel.
    """
    last: str | None = None
    for name in names:
        if entries.fullmatch(name) and last:
            return last
        if not skip.fullmatch(name):
            last = name
    return last


def _sections(messages: Sequence[str]) -> Iterator[list[Frame]]:
    frames: list[Frame] = []
    background = False
    for message in messages:
        if _TRACE.match(message):
            yield frames
            frames, background = [], False
        elif _BACKGROUND.match(message):
            background = True
        if not background and (frame := _frame(message)):
            frames.append(frame)
    yield frames


def _frame(message: str) -> Frame | None:
    if match := _FRAME.match(message):
        return Frame(SUFFIX.sub("", match["name"]), bool(match["guess"]))
    if match := _INLINE.match(message):
        return Frame(SUFFIX.sub("", match["name"]))
    return None
