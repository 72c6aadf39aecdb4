"""Sets of Kconfig fragments: what a variant names → the files, in the order of merging. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator.errors import UserError

DEBUG_INFO = Path(__file__).with_name("debug_info.config")
"""What comes before the fragments of every variant, but for ``debug_info: false``."""
_WITHOUT = Path(__file__).with_name("debug_kernel.config")

Sets = Mapping[str, Sequence[Path]]


def files(entries: Sequence[Path], place: str, sets: Sets, outer: tuple[str, ...] = ()) -> Iterator[tuple[Path, str]]:
    """Yield each file with the place that names it; an entry that is the name of a set stands for the set's own.

    ``outer`` are the sets that are being resolved. Raises UserError for a set that holds itself.
    """
    for number, entry in enumerate(entries):
        name, here = str(entry), f"{place}[{number}]"
        if name in outer:
            raise UserError(f"{here}: the set {name!r} holds itself: {' → '.join((*outer, name))}")
        if name in sets:
            yield from files(sets[name], f"fragments.{name}", sets, (*outer, name))
        else:
            yield entry, here


def without_debug_info(files: Sequence[Path]) -> tuple[Path, ...]:
    """Return the fragments of a kernel of the same code that is built sooner: it has what is asked for, and no lines.

    A fragment that asks for debug information itself gets it.
    """
    return tuple(_WITHOUT if path == DEBUG_INFO else path for path in files)
