"""What is tested, as pipeline.yaml says it: programs of our own, of the tree under test, of the user."""

from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from orchestrator.config.scalars import Name, Output, Seconds
from orchestrator.config.strict import KEYS, WORD, WORD_OR_KEYS, Strict

MOST_GUESTS = 64
"""Guests that one suite is split over, and one job has at once, if so many fit."""


class LineFormat(Strict):
    """How a program that speaks no KTAP says what its cases did: one line each, and a count at its end.

    ``case`` is a regular expression with the groups ``name`` and ``outcome``, and ``reason`` where there is one; a
    line that it matches without an outcome is a case that did not end. ``outcomes`` says what the words mean. ``total``
    has a group of that name: a program that did not print it did not come to its end.
    """

    case: str
    outcomes: dict[str, Literal["pass", "skip", "fail"]]
    total: str

    @field_validator("case", "total")
    @classmethod
    def _groups(cls, value: str, info: ValidationInfo) -> str:
        needed = {"case": {"name", "outcome"}, "total": {"total"}}[str(info.field_name)]
        try:
            missing = needed - set(re.compile(value).groupindex)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if missing:
            raise ValueError(f"the group {', '.join(sorted(missing))} is missing")
        return value


class ProgramConfig(Strict):
    """One program of a suite: how it is run in the guest, and how its output is read.

    In a suite of a tree ``run`` is the command line. In one of ``kind: program`` it is ``file``, with ``args``: a C
    file (compiled static, with pthread, the uapi headers of the tree under test first), an executable, a script, or a
    folder with a Makefile. ``expect_splat`` is a glob over titles: it passes where the kernel complains so, and only
    there. One that is ``endless`` is not done before its time is up.
    ``format`` is ``ktap`` (case lines are the truth), ``exit`` (one test, the exit code; 4 is a skip), ``auto`` (the
    first where the program prints a version or a plan, else the second), or how to read the lines that it prints where
    those are no KTAP. Of ``kind: program`` the exit code 77 is a skip, too, and 125 says that it cannot judge.
    """

    name: Name
    run: str = ""
    file: Path | None = None
    args: str = ""
    expect_splat: str | None = None
    endless: bool = False
    format: Annotated[
        Annotated[Literal["auto", "ktap", "exit"], Tag(WORD)] | Annotated[LineFormat, Tag(KEYS)], WORD_OR_KEYS
    ] = "auto"

    @field_validator("run")
    @classmethod
    def _words(cls, value: str) -> str:
        try:
            shlex.split(value)
        except ValueError as error:
            raise ValueError(f"not a command line: {error}") from error
        return value

    @property
    def called(self) -> str:
        """The name of the program's file in a suite of a tree; empty where nothing is run."""
        words = shlex.split(self.run)
        return Path(words[0]).name if words else ""


def _guests_or_time(value: Any) -> int | float:
    """Return how many guests, or how many seconds each of them takes. Raises ValueError for what is neither."""
    if not isinstance(value, int):
        with contextlib.suppress(ValidationError):
            return TypeAdapter(Seconds).validate_python(value)
    elif not isinstance(value, bool) and 1 <= value <= MOST_GUESTS:
        return value
    raise ValueError(f"1 to {MOST_GUESTS} guests, or a time like 2m, is needed")


class Suite(Strict):
    """A set of test programs.

    ``kind: own`` is a directory with a Makefile whose programs speak the protocol of ``ktap.h`` (``-l`` lists,
    ``-r`` picks); ``kind: tree`` builds ``directory`` of a kernel tree with ``make``, and runs ``programs``. That
    tree is the one under test, or the one that ``tree`` names; where it has no ``directory``, the first of
    ``or_directories`` that it has counts, and with ``absent: skip`` a program that it does not have is a skipped test.
    ``kind: program`` runs ``programs`` that lie here.
    ``test_timeout`` and ``timeout`` are for KVM and are multiplied by ``limits.tcg_scale`` under TCG; all ``endless``
    programs must have their time within ``timeout``. ``budget``, which nothing multiplies, is what a test that works
    for a time gets in a suite of ``kind: own`` (``-b``), on top of its ``test_timeout``; without it, that is up to the
    programs.
    With ``shards`` it is split over so many guests, or (``2m``) over as many as take that long each, by what its tests
    took the last time. ``exclusive`` are globs of tests that share guests with none but one another then, and cores
    with none.
    """

    kind: Literal["own", "tree", "program"] = "own"
    directory: Path = Path()
    or_directories: tuple[Path, ...] = ()
    absent: Literal["refuse", "skip"] = "refuse"
    tree: Name | None = None
    make: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    programs: tuple[ProgramConfig, ...] = ()
    expected: Path | None = None
    test_timeout: Seconds = 20.0
    timeout: Seconds = 600.0
    budget: Seconds | None = None
    output_cap: Output = 4 * 2**20
    shards: Annotated[Annotated[int, Field(ge=1, le=MOST_GUESTS)] | Seconds, BeforeValidator(_guests_or_time)] = 1
    exclusive: tuple[str, ...] = ()
