"""What the programs of a suite say they have: names from a guest, checked before anything is made of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestrator.errors import KernelError

MOST_TESTS = 4096
"""Tests of one program, as in guest-tests/ktap.c."""
MOST_PROBLEMS = 10

_HEADER = "== "
_PROGRAM = re.compile(r"[A-Za-z0-9_][\w.+-]{0,99}", re.ASCII)  # it becomes part of a file's name
_TEST = re.compile(r"[!-.0-~]{1,120}")
_EXIT = re.compile(r"== (?P<program>\S+): (?P<code>exit code [0-9]{1,3})")


def script(suite: str) -> str:
    """Return the shell text that asks every program of a suite for its tests."""
    ask = f'{{ echo "{_HEADER}$p"; "./$p" -l || echo "{_HEADER}$p: exit code $?"; }}'
    return f'cd /tests/{suite} && for p in *; do [ -x "$p" ] && [ -f "$p" ] && {ask}; done'


def read(text: str, packed: Sequence[str] = ()) -> tuple[dict[str, list[str]], list[str]]:
    """Return program → test ids, and what is wrong with the list: ``== PROGRAM`` before the ids, one a line.

    An id counts where it is listed first. ``packed`` are the programs that are in the guest; empty where that is not
    known. Raises KernelError for a program that is none of them, or comes twice: then it is not our guest that answers.
    """
    available: dict[str, list[str]] = {}
    owners: dict[str, str] = {}
    program, problems = "", list[str]()
    for line in map(str.strip, text.splitlines()):
        if (ended := _EXIT.fullmatch(line)) and ended["program"] == program:
            problems.append(f"{program} -l: {ended['code']}")
        elif line.startswith(_HEADER):
            program = _checked(line.removeprefix(_HEADER), available, packed)
            available[program] = []
        elif line and program and len(available[program]) < MOST_TESTS and _TEST.fullmatch(line):
            if owner := owners.get(line):
                problems.append(f"{program} -l: {line!r} is the name of a test of {owner}, and does not run")
                continue
            owners[line] = program
            available[program].append(line)
        elif line and program:
            problems.append(f"{program} -l: {line[:80]!r} is no name of a test")
    problems += [f"{name} -l: lists no test" for name in packed or available if not available.get(name)]
    more = len(problems) - MOST_PROBLEMS
    return available, problems[:MOST_PROBLEMS] + ([f"and {more} more problems of the list"] if more > 0 else [])


def _checked(program: str, available: dict[str, list[str]], packed: Sequence[str]) -> str:
    if not _PROGRAM.fullmatch(program) or (packed and program not in packed):
        raise KernelError(f"the guest lists a program that was not packed: {program[:80]!r}")
    if program in available:
        raise KernelError(f"the guest lists a program twice: {program!r}")
    return program
