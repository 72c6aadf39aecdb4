"""Tests that one result has, and a later one does not name: between two kernels, and between two nights. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestrator.model import Status

Key = tuple[str, str]
"""Suite and test."""
Program = Callable[[Key], Key]
"""What says which program of its suite a test belongs to."""


def tests(before: Mapping[Key, Status], after: Mapping[Key, Status], program: Program) -> dict[Key, Status | None]:
    """Return what only ``before`` names, each with what it is after: SKIP where its program skipped all, else None.

    What stood for a whole program that names its cases after has not gone: neither the result with the program's own
    name, unless that is broken, nor what the program said where it skipped all.
    """
    named, ran, ran_before = set(map(program, after)), _ran(after, program), _ran(before, program)
    gone: dict[Key, Status | None] = {}
    for key in (key for key in before if key not in after):
        own = program(key)
        skipped_before = own in named and own not in ran_before
        stood_for_all = own in ran and key == own and not before[key].broken
        if not (skipped_before or stood_for_all):
            gone[key] = Status.SKIP if own in named - ran else None
    return gone


def _ran(shown: Mapping[Key, Status], program: Program) -> set[Key]:
    """Return the programs of which something was not skipped."""
    return {program(key) for key, status in shown.items() if status is not Status.SKIP}
