"""A guest that dies or hangs is held still and looked at, against a QEMU that plays a script on real QMP."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.errors import InfraError, KernelError
from orchestrator.guest import exit, hold, machine
from orchestrator.guest.hold import Memory
from orchestrator.guest.protocol import Row
from orchestrator.host.process import Deadline
from orchestrator.progress import SILENT
from tests.stage.guest.test_machine import Play, play  # noqa: F401 - a fixture
from tests.stage.guest.test_template import play as play_a_guest  # noqa: F401 - a fixture

PANIC = ("line:Linux+version", "line:Kernel+panic+-+not+syncing:+VFS", "event:GUEST_PANICKED", "held:")
FLUSHED = ("line:the+rest", "event:SHUTDOWN/guest-reset", "exit:0")


@dataclass
class Looks:
    """Who looks, and what was there to be seen."""

    seen: list[tuple[str, bytes, str]] = field(default_factory=list)
    seconds: float = 0.0
    begun: threading.Event = field(default_factory=threading.Event)

    def __call__(self, memory: Memory) -> None:
        data = memory.pieces.read_bytes() if memory.pieces.exists() else b""
        self.seen.append((memory.occasion, data, str(memory.fault or "")))
        self.begun.set()
        time.sleep(self.seconds)


def test_a_panic_is_looked_at_and_what_the_kernel_had_still_to_say_is_there(play: Play) -> None:  # noqa: F811
    looks = Looks()
    request = replace(play(*PANIC, *FLUSHED), examine=looks)
    with (
        pytest.raises(KernelError, match="panic before login: Kernel panic - not syncing: VFS"),
        machine.boot(request, SILENT),
    ):
        pass
    assert looks.seen == [("Kernel panic - not syncing: VFS", b"pieces", "")]
    assert request.console.read_text().splitlines()[-1] == "the rest"
    assert not list(request.directory.glob("*.pieces"))
    assert "panic=pause" in request.log.read_text()


def test_the_end_is_known_before_the_look_is_over(play: Play) -> None:  # noqa: F811
    looks = Looks(seconds=3.0)
    request = replace(play(*PANIC, *FLUSHED), examine=looks)
    with machine.launched(request) as new:
        assert looks.begun.wait(20)
        assert new.watch.death is not None and new.watch.death.kind is exit.Kind.PANIC


def test_a_qemu_that_writes_no_dump_is_a_fault_of_the_look_alone(play: Play) -> None:  # noqa: F811
    looks = Looks()
    request = replace(play(*PANIC, *FLUSHED, "undumped:"), examine=looks)
    with pytest.raises(KernelError, match="panic before login: Kernel panic"), machine.boot(request, SILENT):
        pass
    ((_, _, fault),) = looks.seen
    assert "no dump today" in fault


def test_a_guest_that_does_not_come_up_is_looked_at(play: Play) -> None:  # noqa: F811
    looks = Looks()
    request = replace(play("line:Linux+version", "hang:", boot=3.0), examine=looks)
    with pytest.raises(exit.Hung), machine.boot(request, SILENT):
        pass
    assert looks.seen == [("the guest does not come up", b"pieces", "")]


def test_without_anybody_to_look_qemu_does_not_pause(play: Play) -> None:  # noqa: F811
    request = play("line:Kernel+panic+-+not+syncing:+VFS", "event:GUEST_PANICKED", *FLUSHED)
    with pytest.raises(KernelError), machine.boot(request, SILENT):
        pass
    assert "panic=pause" not in request.log.read_text()


def test_a_test_that_hangs_is_looked_at_a_few_times_and_its_guest_goes_on(play_a_guest: Play) -> None:  # noqa: F811
    looks = Looks()
    request = play_a_guest("guest:")
    request.kernel.image.write_bytes(b"play: silent T01\0")
    with machine.boot(replace(request, examine=looks), SILENT) as guest:
        for _ in range(hold.MOST + 1):
            row = Row.of(["T01"])
            answer = guest.run("./t.sh -t 5 -r T01", deadline=Deadline.after(1.0), row=row)
            assert (answer.exit_code, answer.why) == (None, "out of time")
        assert guest.death is None
    assert guest.ending is None
    assert looks.seen == [("T01: out of time", b"pieces", "")] * hold.MOST


def test_the_harness_calls_for_a_look_before_it_kills_a_test(play_a_guest: Play) -> None:  # noqa: F811
    looks = Looks()
    request = play_a_guest("guest:")
    request.kernel.image.write_bytes(b"play: late T02\0")
    with machine.boot(replace(request, examine=looks), SILENT) as guest:
        guest.run("./t.sh -t 5 -r T02", deadline=Deadline.after(20))
        assert looks.begun.wait(20)
        assert guest.run("a -l || true", deadline=Deadline.after(20)).exit_code == 0
    assert looks.seen == [("T02 is out of time", b"pieces", "")]
    assert guest.ending is None


def test_a_qemu_that_is_gone_takes_no_descriptor_and_that_is_its_fault(play: Play) -> None:  # noqa: F811
    with machine.launched(play("hang:")) as new, Path(os.devnull).open("wb") as file:
        new.qmp.execute("quit")
        assert new.watch.wait(lambda: new.watch.death is not None, Deadline.after(20))
        with pytest.raises(InfraError, match="QEMU does not do getfd: "):
            new.qmp.hand(file.fileno(), "memory")
