"""Which processes of a guest are in its report: those of userfaultfd, and those of tests with nothing registered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("drgn")

from orchestrator.postmortem import locks, memory


def number(value: int) -> Any:
    return SimpleNamespace(value_=lambda: value)


def vma(start: int, context: int = 0) -> Any:
    registered = SimpleNamespace(ctx=number(context))
    end = number(start + 0x2000)
    return SimpleNamespace(vm_start=number(start), vm_end=end, vm_flags=number(3), vm_userfaultfd_ctx=registered)


def process(name: bytes, pid: int, *vmas: Any) -> tuple[Any, Any]:
    return SimpleNamespace(comm=SimpleNamespace(string_=lambda: name), pid=number(pid)), vmas


class Form:
    """Page tables in which a marker stands at one place, and nothing elsewhere."""

    def __init__(self, marker: int = 0) -> None:
        self.marker = marker

    def walk(self, mm: Any, start: int, end: int) -> list[tuple[int, int, str]]:
        return [(start, 2, "marker" if start == self.marker else "none")]


def seen(monkeypatch: pytest.MonkeyPatch, form: Form, *processes: tuple[Any, Any]) -> list[dict[str, Any]]:
    monkeypatch.setattr(locks, "mms", lambda program: iter(processes))
    monkeypatch.setattr(memory, "_vmas", iter)
    monkeypatch.setattr(memory, "vma_name", lambda vma: b"[heap]")
    program: Any = None
    given: Any = form
    return memory.processes(program, given)


def test_a_process_of_a_test_is_there_with_its_mappings_though_nothing_is_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = (
        process(b"init", 1, vma(0x1000)),
        process(b"uffd-basic", 7, vma(0x4000), vma(0x9000)),
        process(b"sh", 8, vma(0x6000)),
        process(b"uffd-basic", 9, vma(0x7000, context=0xFF)),
        process(b"uffd-zap", 10, vma(0xA000)),
    )
    every = seen(monkeypatch, Form(marker=0xA000), *given)
    assert [one["pid"] for one in every] == [9, 10, 7, 8], "those of which userfaultfd has a part stand first"
    assert [("ptes" in vma) for one in every for vma in one["vmas"]] == [True, True, False, False, False]
    assert every[2]["vmas"][1] == {"start": 0x9000, "end": 0xB000, "flags": ["read", "write"], "name": "[heap]"}


def test_of_many_processes_some_are_there_and_none_of_userfaultfd_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [process(b"bomb", pid, vma(0x1000)) for pid in range(memory.MOST_PROCESSES + 9)]
    parts = [process(b"test", 1000 + pid, vma(0x1000, context=1)) for pid in range(memory.MOST_PROCESSES + 9)]
    every = seen(monkeypatch, Form(), *many, *parts)
    assert sum(one["comm"] == "bomb" for one in every) == memory.MOST_PROCESSES
    assert sum(one["comm"] == "test" for one in every) == len(parts)
