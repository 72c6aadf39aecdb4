"""What a console has of one test: the lines that stand between its markers. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.guest.protocol import Windows
from orchestrator.parse import printk
from orchestrator.text import plain


@dataclass(frozen=True)
class Window:
    """The lines of a console while a test ran, without markers; ``first`` counts from 1."""

    first: int
    lines: tuple[str, ...]


def of(console: str, names: Iterable[str], windows: Windows | None = None) -> Window | None:
    """Return what a console has of the last run of a test by one of its names; None if it did not run.

    The names are its own, and that of the program whose case it is.
    A test that did not end has the rest of the console. ``windows`` knows which markers are believed.
    """
    wanted, reader = set(names), windows or Windows()
    last: Window | None = None
    inside: list[str] | None = None
    whole, rest = plain.split(console)  # as the lines of a splat are counted
    for number, line in enumerate((*whole, rest), 1):
        is_marker = reader.take(printk.message(line))
        runs = bool(wanted & set(reader.names))
        if runs and inside is None:
            inside, first = [], number + 1
        elif not runs and inside is not None:
            last, inside = Window(first, tuple(inside)), None
        elif runs and inside is not None and line.strip() and not is_marker:
            inside.append(line.rstrip())
    return Window(first, tuple(inside)) if inside is not None else last
