"""What a kernel looks for no more behind a complaint."""

from __future__ import annotations

from pathlib import Path

from orchestrator.model import Splat
from orchestrator.verdict import complaints


def lock(title: str, test: str | None, boot: int = 1) -> Splat:
    return Splat("lockdep", title, 1, 1, "", False, test, console=Path(f"/j/boot-{boot}/console.log"))


def test_lockdep_ends_with_its_first_report_in_each_guest() -> None:
    rcu = lock("suspicious RCU usage in mm/a.c", "A")
    assert complaints.lockdep_ended([]) == complaints.lockdep_ended([rcu]) == ()
    first = [rcu, lock("lockdep: x", None), lock("lockdep: y", "B")]
    (note,) = complaints.lockdep_ended(first)
    assert note.startswith("lockdep ended itself outside of any test (lockdep: x): ")
    (note,) = complaints.lockdep_ended([*first, lock("lockdep: y", "B", 2), lock("lockdep: y", "C", 3)])
    assert note.endswith("had no such checker (and so in 2 more guests)")
