"""Which task of a guest that hangs is to blame: what is stuck, then what runs, then what sleeps; ended ones last."""

from typing import Any

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
