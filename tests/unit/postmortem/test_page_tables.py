"""What a pte is, by the bits of x86-64 and the symbols of the kernel."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("drgn")

from orchestrator.postmortem import page_tables
from orchestrator.postmortem.page_tables import Format

SMOKE = {"MIGRATION", "SWAP"}
ALL = (1 << 64) - 1
PROGRAM: Any = None


def swap(kind: int, offset: int) -> int:
    """Return __swp_entry() as a pte (arch/x86/include/asm/pgtable_64.h)."""
    return ((~offset & ALL) << 14 & ALL) >> 5 | kind << 59


@pytest.mark.parametrize(
    ("pte", "kind"),
    [
        (0, "none"),
        (0x1067 & ~2, "present"),
        (0x1067, "present W"),
        (0x1467 & ~2, "present P"),
        (0x1467, "present WP"),
        (0x1000 | 1 << 8, "present"),
        (swap(0, 5), "swap"),
        (swap(0, 5) | 1 << 2, "swap P"),
        (swap(30, 0x1234), "migration"),
        (swap(31, 0x1234), "migration"),
        (swap(30, 1 << 49), "marker"),
        (swap(30, 1 << 49) | 1 << 1, "marker"),
    ],
)
def test_what_a_pte_is(pte: int, kind: str) -> None:
    form = Format(PROGRAM, page_tables.swap_kinds(SMOKE, newer=False), own_markers=True, levels=4)
    assert form.kind(pte) == kind


def test_without_the_series_the_bit_means_nothing_and_newer_kernels_have_a_type_for_it() -> None:
    old = Format(PROGRAM, page_tables.swap_kinds(SMOKE, newer=False), own_markers=False, levels=4)
    assert old.kind(swap(30, 1 << 49)) == "migration"
    new = Format(PROGRAM, page_tables.swap_kinds(SMOKE | {"MEMORY_FAILURE"}, newer=True), own_markers=False, levels=4)
    assert [new.kind(swap(kind, 1)) for kind in (26, 27, 28, 30, 31)] == [
        "swap", "hwpoison", "migration", "migration", "marker",
    ]  # fmt: skip
