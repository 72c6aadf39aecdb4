"""What reaches a terminal, and what reads it from rich: the only module that knows either.

Text is nobody's markup and no terminal's command: a ``str`` may come from a patch, a compiler or a guest, so it is
shown as it is, with what would act unseen spelt out. Style is a value beside a text, never a word inside it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TextIO

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from orchestrator.errors import InfraError
from orchestrator.text import plain

WIDTH = 120
"""Columns of what is printed where nobody tells the width: in a log file."""


def columns() -> int:
    """Return how wide rich takes the terminal to be."""
    return Console().width


@dataclass(frozen=True)
class Styled:
    """A text and how it looks (``bold red``)."""

    text: str
    style: str


Part = str | Styled


@dataclass(frozen=True)
class Column:
    """A column of a table. One that is ``folded`` breaks its lines; one with ``most`` characters is cut there."""

    name: str
    style: str = ""
    right: bool = False
    folded: bool = False
    most: int | None = None


class Screen:
    """A terminal, or a file in its place. Raises InfraError where it cannot be written (disk full, reader gone)."""

    def __init__(self, *, stderr: bool = False, file: IO[str] | None = None, width: int | None = None) -> None:
        self._console = Console(
            stderr=stderr, file=file, width=width, markup=False, emoji=False, highlight=False, soft_wrap=True
        )
        if width is None and not self._console.is_terminal:
            self._console.width = WIDTH

    @property
    def is_terminal(self) -> bool:
        """Whether a person may be looking."""
        return self._console.is_terminal

    def line(self, *parts: Part) -> None:
        """Print parts as one line, without anything between them."""
        with _written():
            self._console.print(Text.assemble(*(_text(part) for part in parts)))

    def text(self, text: str) -> None:
        """Print text of any number of lines."""
        for line in text.splitlines():
            self.line(line)

    def document(self, text: str) -> None:
        """Print a JSON document; characters that a terminal would act upon are escaped, as JSON allows."""
        with _written():
            self._console.file.write(_UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text))
            self._console.file.flush()

    def table(self, title: str, columns: Sequence[Column], rows: Sequence[Sequence[Part]]) -> None:
        """Print a table with its title."""
        table = Table(title=_text(title), title_justify="left", header_style="bold")
        for column in columns:
            table.add_column(
                column.name, style=column.style, justify="right" if column.right else "left", max_width=column.most,
                no_wrap=not column.folded, overflow="fold" if column.folded else "ellipsis",
            )  # fmt: skip
        for row in rows:
            table.add_row(*(_text(part) for part in row))
        with _written():
            self._console.print(table, soft_wrap=False)

    def bars(self) -> BarSet:
        """Return bars for this screen; on what is no terminal they show nothing."""
        return BarSet(self._console)


class BarSet:
    """Bars that move while work goes on, and leave nothing behind."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[figure]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self.start, self.stop = self._bars.start, self._bars.stop

    def move(self, name: str, done: float, total: float | None, figure: str) -> None:
        """Move the bar of that name; its end removes it."""
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(plain.visible(name), total=total, figure="")
        self._bars.update(self._tasks[name], completed=done, total=total, figure=figure)
        if total is not None and done >= total:
            self._bars.remove_task(self._tasks.pop(name))


_UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def _text(part: Part) -> Text:
    styled = part if isinstance(part, Styled) else Styled(part, "")
    return Text(plain.visible(styled.text).replace("\n", "\\n"), style=styled.style)


@contextlib.contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InfraError(f"cannot write the output: {error.strerror or error}") from error


def flushed() -> None:
    """Hand on what waits to be written. Raises InfraError where it cannot be, once: what is left is dropped then."""
    try:
        with _written():
            sys.stdout.flush()
    except InfraError:
        _drop(sys.stdout)
        raise


def _drop(stream: TextIO) -> None:
    """Let go what a stream could not write: at the end of the process it would be tried again, and change its code."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def complain(text: str) -> None:
    """Print a line for people on standard error, whatever becomes of it."""
    try:
        print(plain.visible(text), file=sys.stderr, flush=True)
    except ValueError:
        return
    except OSError:
        _drop(sys.stderr)
