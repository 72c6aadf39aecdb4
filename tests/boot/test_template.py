"""Clones of a real guest: each with random numbers and the time of its own, several at once, none seen by another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.arch import DEFAULT
from orchestrator.config.schema import Machine
from orchestrator.guest import machine, template, verify
from orchestrator.guest.rootfs import rootfs
from orchestrator.guest.template import Template
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.model import Accel, AccelFact, Kernel
from orchestrator.progress import SILENT

LOOK = "cat /proc/sys/kernel/random/uuid; date +%s; cat /tmp/mark 2>/dev/null; echo x >/tmp/mark; cat /proc/swaps"
CLONES = 6


@pytest.fixture(scope="module")
def saved(kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    folder = tmp_path_factory.mktemp("template")
    made = rootfs.build(rootfs.RootfsSpec(folder / "rootfs", DEFAULT), Cache(folder / "cache"), SILENT)
    request = machine.BootRequest(
        kernel,
        made,
        Machine(numa_nodes=2, swap=64 * 2**20),
        AccelFact(Accel.TCG, "max", "", "test"),
        folder / "template",
        machine.Limits(boot=300.0, shutdown=60.0, silence=300.0),
        lambda line: "Kernel panic - not syncing" in line or "BUG: " in line,
    )
    with template.made(request, SILENT) as done:
        yield done


def test_clones_have_random_numbers_and_the_time_of_their_own_two_at_once(
    saved: Template, kernel: Kernel, tmp_path: Path
) -> None:
    def look(number: int) -> tuple[str, float, list[str]]:
        with template.clone(saved, tmp_path / str(number)) as guest:
            before = time.time()
            uuid, seconds, *rest = guest.run(LOOK, deadline=Deadline.after(60)).stdout.splitlines()
            off = max(before - 1 - float(seconds), float(seconds) - time.time(), 0.0)
            verify.same_kernel(guest, kernel)
        assert guest.ending is None
        return uuid, off, rest

    time.sleep(3)  # else a clock that stands would not show
    with ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(look, range(CLONES)))
    assert len({uuid for uuid, _, _ in seen}) == CLONES
    assert max(off for _, off, _ in seen) < 2
    assert all("x" not in rest and "/dev/vda" in rest[-1] for _, _, rest in seen)
