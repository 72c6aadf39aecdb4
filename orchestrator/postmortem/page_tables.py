"""Walk the page tables of x86-64, and say what a pte is, by the formats of the kernel that was built."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import drgn
from drgn.helpers.linux.mm import phys_to_virt

PAGE = 4096
_PRESENT, _WRITABLE, _HUGE, _PROTNONE = 1 << 0, 1 << 1, 1 << 7, 1 << 8
_UFFD_WP, _SWAP_UFFD_WP = 1 << 10, 1 << 2  # _PAGE_BIT_SOFTW2; _PAGE_SWP_UFFD_WP is _PAGE_USER
_FRAME = ((1 << 52) - 1) & ~(PAGE - 1)
_ALL = (1 << 64) - 1
_TYPE_SHIFT, _OFFSET_SHIFT = 59, 14  # arch/x86/include/asm/pgtable_64.h: five bits of type, the offset inverted
_TOP_OF_OFFSET = 1 << (63 - _OFFSET_SHIFT)
_MOST = 1 << 20
"""Ptes of one range that are read."""


@dataclass(frozen=True)
class Format:
    """What the kinds of swap entries are in this kernel (include/linux/swap.h), and how deep its page tables are."""

    program: drgn.Program
    kinds: dict[int, str]
    own_markers: bool
    levels: int

    @classmethod
    def of(cls, program: drgn.Program, config: str) -> Format:
        """Return the formats of the kernel that a .config makes."""
        chosen = set(re.findall(r"^CONFIG_(\w+)=[ym]$", config, re.MULTILINE))
        release = program["init_uts_ns"].name.release.string_().decode(errors="replace")
        numbers = re.match(r"(\d+)\.(\d+)", release)
        newer = numbers is not None and (int(numbers[1]), int(numbers[2])) >= (5, 19)
        return cls(program, swap_kinds(chosen, newer), "USERFAULTFD_WP_FILE" in chosen, _levels(program))

    def kind(self, pte: int) -> str:
        """Say what a pte is: none, a marker, present (with W and P: writable, protected), swap, migration."""
        if pte == 0:
            return "none"
        if pte & (_PRESENT | _PROTNONE):
            flags = ("W" if pte & _WRITABLE else "") + ("P" if pte & _UFFD_WP else "")
            return f"present {flags}".rstrip()
        kind = self.kinds.get(pte >> _TYPE_SHIFT, "swap")
        offset = ((~pte & _ALL) << 5 & _ALL) >> _OFFSET_SHIFT
        if kind == "marker" or (self.own_markers and kind == "migration" and offset & _TOP_OF_OFFSET):
            return "marker"
        return f"{kind} P" if pte & _SWAP_UFFD_WP else kind

    def walk(self, mm: drgn.Object, start: int, end: int) -> Iterator[tuple[int, int, str]]:
        """Yield the runs of equal ptes of a range: address, pages, kind. What has no table is none."""
        run: tuple[int, int, str] | None = None
        for address, count, kind in self._ptes(mm, start, end):
            if run and run[2] == kind:
                run = (run[0], run[1] + count, kind)
                continue
            if run:
                yield run
            run = (address, count, kind)
        if run:
            yield run

    def _ptes(self, mm: drgn.Object, start: int, end: int) -> Iterator[tuple[int, int, str]]:
        address, read = start, 0
        tables: dict[int, tuple[int, ...]] = {}
        while address < end and read < _MOST:
            entry, level = self._entry(mm, address, tables)
            span = 1 << (12 + 9 * (level - 1))
            upto = min(end, (address // span + 1) * span)
            pages = max(1, (upto - address) // PAGE)
            kind = self.kind(entry)
            yield address, pages, f"huge {kind}" if level > 1 and entry else kind
            address, read = upto, read + 1

    def _entry(self, mm: drgn.Object, address: int, tables: dict[int, tuple[int, ...]]) -> tuple[int, int]:
        """Return the entry of an address at which the walk ends, and its level: 1 is that of ptes."""
        table = mm.pgd.value_()
        for level in range(self.levels, 0, -1):
            if table not in tables:
                tables[table] = struct.unpack("<512Q", self.program.read(table, PAGE))
            entry = tables[table][address >> (12 + 9 * (level - 1)) & 511]
            if level == 1 or not entry & _PRESENT or entry & _HUGE:
                return entry, level
            table = phys_to_virt(self.program, entry & _FRAME).value_()
        raise AssertionError("a walk ends at level 1")

    def at(self, mm: drgn.Object, address: int) -> str:
        """Say what the pte of an address is."""
        entry, level = self._entry(mm, address, {})
        return f"huge {self.kind(entry)}" if level > 1 and entry else self.kind(entry)


def swap_kinds(chosen: set[str], newer: bool) -> dict[int, str]:
    """Return type → kind for the types at the top of the 32, from the symbols that are chosen.

    ``newer`` kernels (5.19 and later) have a third type for migration, and one for markers of their own.
    """
    names = ["hwpoison"] * ("MEMORY_FAILURE" in chosen)
    names += ["migration"] * ((3 if newer else 2) * ("MIGRATION" in chosen))
    names += ["device"] * ((4 if newer else 2) * ("DEVICE_PRIVATE" in chosen))
    names += ["marker"] * newer
    return dict(enumerate(names, 32 - len(names)))


def _levels(program: drgn.Program) -> int:
    try:
        return 5 if program["__pgtable_l5_enabled"] else 4
    except LookupError:
        return 4


def flags(vma: drgn.Object, bits: dict[str, int]) -> list[str]:
    """Return the names of the flags that a vma has."""
    value: Any = vma.vm_flags.value_()
    return [name for name, bit in bits.items() if value & bit]
