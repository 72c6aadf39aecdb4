"""What the guest tests share, guest-tests/lib/, has one header for each source, and depends in one direction only."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

LIB = Path(__file__).parents[2] / "guest-tests" / "lib"
ABI = "uffd_abi"
"""The kernel's interface: a header alone."""


def includes(stem: str) -> set[str]:
    """Return the stems that the header and the source of a stem include, but their own."""
    texts = [path.read_text() for path in (LIB / f"{stem}.h", LIB / f"{stem}.c") if path.exists()]
    return {name for text in texts for name in re.findall(r'^#include "(\w+)\.h"$', text, re.MULTILINE)} - {stem}


def test_each_source_has_one_header() -> None:
    headers = {path.stem for path in LIB.glob("*.h")} - {ABI}
    assert headers == {path.stem for path in LIB.glob("*.c")}


def test_there_is_no_circle() -> None:
    assert list(TopologicalSorter({path.stem: includes(path.stem) for path in LIB.glob("*.h")}).static_order())


def test_the_harness_knows_nothing_of_what_it_runs() -> None:
    assert includes("ktap") == set()
    assert "backing" not in (LIB / "ktap.c").read_text()
