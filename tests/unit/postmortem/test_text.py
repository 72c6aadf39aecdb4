"""A report as text: which function is to blame, and that a bug gives the same text each time but for addresses."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from orchestrator.errors import InfraError
from orchestrator.postmortem import report, text


def frames(*functions: str) -> list[dict[str, Any]]:
    return [{"function": name, "place": f"mm/{name}.c:7"} for name in functions]


def task(comm: str, state: str, *functions: str, **more: Any) -> dict[str, Any]:
    usual = {"pid": 7, "kernel": False, "cpu": 0, "waits": "", "idle": False, "address": 1}
    return {**usual, "comm": comm, "state": state, "frames": frames(*functions), **more}


def made(**more: Any) -> report.Report:
    empty: dict[str, Any] = {
        "release": "5.10.262", "panic": "", "culprit": None, "tasks": [], "processes": [], "locks": [],
        "memory": {"total": 262144, "free": 200000}, "log": [], "notes": [],
    }  # fmt: skip
    return report.parsed(json.dumps({**empty, **more}))


@pytest.mark.parametrize(
    ("functions", "blamed"),
    [
        (("notifier_call_chain", "panic", "oops_end", "exc_page_fault", "asm_exc_page_fault", "do_wp_page"),
         "do_wp_page"),
        (("panic", "sysrq_handle_crash", "vfs_write"), "sysrq_handle_crash"),
        (("context_switch", "__schedule", "schedule", "rwsem_down_write_slowpath", "down_write", "do_munmap"),
         "do_munmap"),
        (("context_switch", "schedule", "handle_userfault", "do_fault"), "handle_userfault"),
        (("schedule", "handle_userfault", "exc_page_fault", "asm_exc_page_fault", "0x4015ec"), "handle_userfault"),
        (("panic", "oops_end", "die", "exc_invalid_op", "asm_exc_invalid_op", "page_remove_rmap"),
         "page_remove_rmap"),
        (("do_spin",), "do_spin"),
        (("rep_nop", "cpu_relax", "do_spin", "on_each_cpu"), "do_spin"),
        (("native_queued_spin_lock_slowpath", "queued_spin_lock", "do_raw_spin_lock", "__raw_spin_lock",
          "_raw_spin_lock", "spin_lock", "handle_pte_fault"), "handle_pte_fault"),
    ],
)  # fmt: skip
def test_the_function_to_blame(functions: tuple[str, ...], blamed: str) -> None:
    frame = report.blamed(made(culprit=task("t", "R", *functions)).culprit or pytest.fail())
    assert frame is not None and frame.function == blamed


def crash(**numbers: Any) -> report.Report:
    address, pid, stamp = (numbers[name] for name in ("address", "pid", "stamp"))
    mapping = {
        "start": address, "end": address + 8192, "flags": ["read", "write", "wp"], "name": "[tmpfs]",
        "context": f"{address:#x}", "ptes": {"marker": 1, "none": 1},
        "runs": [[address, 1, "marker"], [address + 4096, 1, "none"]],
    }  # fmt: skip
    return made(
        panic="Kernel panic - not syncing: Fatal exception",
        culprit=task("uffd-zap", "R", "panic", "asm_exc_page_fault", "zap_pte_range", pid=pid, address=address),
        tasks=[task("uffd-zap", "R", "zap_pte_range", pid=pid), task("kswapd0", "S", kernel=True, idle=True)],
        processes=[{"comm": "uffd-zap", "pid": pid, "contexts": [f"{address:#x}"], "vmas": [mapping]}],
        memory={"total": 262144, "free": 200000 + pid, "swap used": 0},
        log=[f"[{stamp:12.6f}] CPU: 1 PID: {pid} Comm: uffd-zap", f"[{stamp:12.6f}] wpci: word end X"],
    )


def test_the_same_bug_gives_the_same_text_but_for_addresses() -> None:
    first = crash(address=0x7F0000000000, pid=70, stamp=3.5)
    again = crash(address=0x7FEE00001000, pid=99, stamp=44.25)
    texts = [re.sub(r"0x[0-9a-f]+", "ADDRESS", text.render(one, "")) for one in (first, again)]
    assert texts[0] == texts[1]
    assert "uffd-zap [R] in zap_pte_range (mm/zap_pte_range.c:7)" in texts[0]
    assert "1 marker, 1 none" in texts[0]
    assert "kswapd0" not in texts[0]


def test_only_what_runs_is_said_to_run() -> None:
    tasks = [task("spins", "R", "do_spin"), task("gone", "Z"), task("unread", "D")]
    lines = text.render(made(tasks=tasks), "").splitlines()
    assert {"  spins [R] runs", "  gone [Z]", "  unread [D]"} <= set(lines)


def test_memory_that_could_not_be_read_is_not_empty() -> None:
    assert "Memory: 1024 MiB, about 80 % free; no swap is used" in text.render(made(), "")
    assert "Memory: not known" in text.render(made(memory={}), "")


def test_the_first_lines_say_what_is_waited_for() -> None:
    hung = task(
        "uffd-race", "D", "schedule", "handle_userfault", waits="for a userfault (wp, write) at 0x1, its pte: marker"
    )
    lines = text.summary(made(culprit=hung), "R01_x is out of time")
    assert lines[0] == "R01_x is out of time"
    assert lines[1].startswith("uffd-race [D] in handle_userfault")
    assert lines[2] == "waits for a userfault (wp, write) at 0x1, its pte: marker"


def test_what_a_hostile_kernel_has_in_its_memory_does_not_reach_a_terminal() -> None:
    shown = text.render(made(panic="\x1b[2Jgone", log=["\x07bell"]), "")
    assert "\x1b" not in shown and "\x07" not in shown


@pytest.mark.parametrize("said", ["", "[]", "{}", '{"release": 1}', "x" * (report.MOST + 1)])
def test_what_is_no_report_is_the_hosts_fault(said: str) -> None:
    with pytest.raises(InfraError):
        report.parsed(said)


def test_a_marker_where_nothing_is_registered_is_said_to_be_left() -> None:
    mapping = {"start": 4096, "end": 8192, "flags": ["read"], "name": "memfd", "ptes": {"marker": 1}}
    process = {"comm": "leaky", "pid": 1, "contexts": [], "vmas": [mapping]}
    lines = text.summary(made(processes=[process]), "out of time")
    assert lines[-1] == "leaky: 0x1000-0x2000 read memfd: 1 marker left where nothing is registered"
