"""Stack lines of a splat → ``file:line``, with the vmlinux that ran.

``name+0x12/0x34`` is resolved through the symbol table of vmlinux, so it does not matter where the kernel was loaded.
Two processes a splat: ``nm`` (once a vmlinux) and one ``addr2line`` for all of its lines. Never fails a run: what
cannot be resolved stays as it is.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.host import process
from orchestrator.model import Splat

LIMIT = 120.0
"""Seconds that one tool may take: DWARF of a debug kernel is large."""

_PLACE = re.compile(r"([A-Za-z_][\w.]*)\+0x([0-9a-f]+)/0x([0-9a-f]+)\b(?! \[)")
_ROOTS = "arch|block|certs|crypto|drivers|fs|include|init|io_uring|ipc|kernel|lib|mm|net|security|sound|virt"
_TO_TREE = re.compile(rf"^.*?/(?=(?:{_ROOTS})/)")

Places = Mapping[int, tuple[str, ...]]


def symbolise(splat: Splat, vmlinux: Path) -> Splat:
    """Return the splat with ``file:line`` behind each stack line that could be resolved."""
    return replace(splat, text=resolve(splat.text, vmlinux)[0])


def resolve(text: str, vmlinux: Path) -> tuple[str, str]:
    """Return the text with places added, and why nothing was added (empty where something was)."""
    try:
        key = (vmlinux, vmlinux.stat().st_mtime_ns)
        table = _symbols(*key)
        addresses = [_address(line, table) for line in text.splitlines()]
        wanted = tuple(sorted({address for address in addresses if address is not None}))
        places = _places(*key, wanted) if wanted else {}
    except (InfraError, OSError) as error:
        return text, f"stacks are not symbolised: {error}"
    if not places:
        return text, "stacks are not symbolised: " + ("vmlinux has no debug info" if wanted else "no symbol is known")
    lines = zip(text.splitlines(), addresses, strict=True)
    return "\n".join(_annotated(line, places.get(at, ()) if at is not None else ()) for line, at in lines), ""


def _annotated(line: str, places: Sequence[str]) -> str:
    return f"{line}  {' < '.join(places)}" if places else line


def _address(line: str, table: Mapping[str, Sequence[tuple[int, int]]]) -> int | None:
    """Return the address that a stack line means. A frame holds where the call returns to: the call is before it."""
    match = _PLACE.search(line)
    if not match:
        return None
    offset, size = int(match[2], 16), int(match[3], 16)
    known = table.get(match[1], ())
    fitting = [start for start, length in known if length == size] or [start for start, _ in known]
    if len(fitting) != 1:
        return None
    return fitting[0] + offset - (0 if "RIP:" in line or not offset else 1)


@functools.lru_cache(maxsize=4)
def _symbols(vmlinux: Path, _changed: int) -> Mapping[str, tuple[tuple[int, int], ...]]:
    """Return name → (address, size) of every symbol of that name; the size is the way to the next, as in kallsyms."""
    output = process.run(
        ["nm", "-n", vmlinux], deadline=process.Deadline.after(LIMIT), cage=process.Cage(readable=(vmlinux,))
    ).stdout
    rows = [line.split() for line in output.splitlines()]
    symbols = [(int(row[0], 16), row[2]) for row in rows if len(row) == 3]
    table: dict[str, list[tuple[int, int]]] = defaultdict(list)
    following = _next_address([address for address, _ in symbols])
    for address, name in symbols:
        table[name].append((address, following[address] - address))
    return {name: tuple(places) for name, places in table.items()}


def _next_address(ascending: Sequence[int]) -> dict[int, int]:
    distinct = sorted(set(ascending))
    return dict(zip(distinct, [*distinct[1:], distinct[-1] if distinct else 0], strict=True))


@functools.lru_cache(maxsize=256)
def _places(vmlinux: Path, _changed: int, addresses: tuple[int, ...]) -> Places:
    """Return address → its place, innermost inlined function first; addresses without a line are left out."""
    done = process.run(
        ["addr2line", "-a", "-i", "-e", vmlinux],
        input_text="".join(f"{address:#x}\n" for address in addresses),
        deadline=process.Deadline.after(LIMIT),
        cage=process.Cage(readable=(vmlinux,)),
    )
    places: dict[int, list[str]] = {}
    for line in done.stdout.splitlines():
        if line.startswith("0x"):
            current = places.setdefault(int(line, 16), [])
        elif not line.startswith("??") and ":?" not in line and line[-2:] != ":0":
            current.append(_TO_TREE.sub("", line.partition(" (discriminator")[0]))
    return {address: tuple(lines) for address, lines in places.items() if lines}
