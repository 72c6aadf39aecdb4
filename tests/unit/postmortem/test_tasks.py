"""Which task of a guest that hangs is to blame: what is stuck, then what runs, then what sleeps; ended ones last."""

from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.postmortem import tasks


def task(comm: str, state: str, pid: int, *functions: str, waits: str = "", kernel: bool = False) -> dict[str, Any]:
    frames = [{"function": name, "place": ""} for name in functions]
    return {"comm": comm, "state": state, "pid": pid, "kernel": kernel, "waits": waits, "frames": frames}


def test_the_order_of_suspicion() -> None:
    suspects = [
        task("stuck", "D", 10, "do_munmap"),
        task("faults", "S", 9, "handle_userfault"),
        task("spins", "R", 11, "do_spin"),
        task("newer", "S", 13),
        task("older", "S", 12),
        task("ended", "Z", 14),
        task("kswapd0", "D", 2, kernel=True),
    ]
    names = [one["comm"] for one in sorted(reversed(suspects), key=tasks._rank)]
    assert names == ["stuck", "faults", "spins", "newer", "older", "ended", "kswapd0"]


@pytest.mark.parametrize(
    ("message", "blamed"),
    [
        ("hung_task: blocked tasks", "uffd-test"),  # who panics has only looked at it
        ("Fatal exception", "khungtaskd"),
    ],
)
def test_who_panics_is_to_blame_unless_it_has_only_looked(
    monkeypatch: pytest.MonkeyPatch, message: str, blamed: str
) -> None:
    looks = {**task("khungtaskd", "R", 30, "panic", "watchdog", kernel=True), "address": 1, "idle": False}
    hangs = {**task("uffd-test", "D", 141, "uffd_wait"), "address": 2, "idle": False}
    monkeypatch.setattr(tasks, "_panic_cpu", lambda program: 0)
    monkeypatch.setattr(tasks, "panic_message", lambda program: message.encode())
    monkeypatch.setattr(tasks, "cpu_curr", lambda program, cpu: SimpleNamespace(value_=lambda: 1))
    monkeypatch.setattr(tasks, "stack", lambda program, of, with_locals: [])
    monkeypatch.setattr("drgn.Object", lambda *arguments: arguments)
    chosen = tasks.culprit(None, [looks, hangs])
    assert chosen and chosen["comm"] == blamed
