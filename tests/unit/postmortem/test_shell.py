"""The helpers of drgn's shell, on tasks that need no kernel."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.postmortem import shell


def task(name: bytes) -> Any:
    return SimpleNamespace(comm=SimpleNamespace(string_=lambda: name))


def test_a_task_is_found_beside_one_whose_name_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = task(b"uffd-basic")
    monkeypatch.setattr(shell, "for_each_task", lambda program: iter([task(b"\xff\xfe"), wanted]))
    helpers = shell.Helpers.__new__(shell.Helpers)
    helpers._program = None
    assert helpers.task("uffd-basic") is wanted
    with pytest.raises(LookupError):
        helpers.task("none")
