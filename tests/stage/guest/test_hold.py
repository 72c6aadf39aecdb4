"""A guest that dies or hangs is held still and looked at, against a QEMU that plays a script on real QMP."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.errors import InfraError, KernelError
from orchestrator.guest import exit, hold, machine, monitor, running
from orchestrator.guest.hold import Memory
from orchestrator.guest.protocol import Row
from orchestrator.host import process
from orchestrator.host.process import Deadline
from orchestrator.progress import SILENT
from tests.stage.guest.test_machine import Play, play  # noqa: F401 - a fixture
from tests.stage.guest.test_template import play as play_a_guest  # noqa: F401 - a fixture

PANIC = ("line:Linux+version", "line:Kernel+panic+-+not+syncing:+VFS", "event:GUEST_PANICKED", "held:")
UNTOLD = "the kernel did not tell QEMU, and was gone"
FLUSHED = ("line:the+rest", "event:SHUTDOWN/guest-reset", "exit:0")


@dataclass
class Looks:
    """Who looks, and what was there to be seen."""

    seen: list[tuple[str, bytes, str]] = field(default_factory=list)
    seconds: float = 0.0
    begun: threading.Event = field(default_factory=threading.Event)
    enough: threading.Event = field(default_factory=threading.Event)

    def __call__(self, memory: Memory, deadline: Deadline) -> None:
        data = memory.pieces.read_bytes() if memory.pieces.exists() else b""
        self.seen.append((memory.occasion, data, str(memory.fault or "")))
        self.begun.set()
        self.enough.wait(self.seconds)


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
    looks = Looks(seconds=60.0)
    request = replace(play(*PANIC, *FLUSHED), examine=looks)
    with machine.launched(request) as new:
        assert looks.begun.wait(20)
        assert new.watch.death is not None and new.watch.death.kind is exit.Kind.PANIC
        looks.enough.set()


def is_known(new: machine.Launched, looks: Looks) -> exit.Death | None:
    """Return the death of a guest that is known while the look still goes on."""
    assert looks.begun.wait(20)
    new.watch.wait(lambda: False, Deadline.after(10))
    death = new.watch.death
    looks.enough.set()
    return death


def test_a_panic_without_a_word_is_known_before_the_look_is_over(play: Play) -> None:  # noqa: F811
    looks = Looks(seconds=60.0)
    request = replace(play("line:Linux+version", "event:GUEST_PANICKED", "held:", *FLUSHED), examine=looks)
    with machine.launched(request) as new:
        death = is_known(new, looks)
    assert death is not None and death.line == "the kernel panicked, and the console does not say why"


def test_a_panic_during_the_look_at_a_late_test_is_known_at_once(play: Play) -> None:  # noqa: F811
    looks = Looks(seconds=60.0)
    panic = "line:Kernel+panic+-+not+syncing:+hung_task"
    request = replace(play("line:wpci:+late+T01", "held:", panic, "hang:"), examine=looks)
    with machine.launched(request) as new:
        death = is_known(new, looks)
    assert death is not None and death.line == "Kernel panic - not syncing: hung_task"
    assert [(occasion, fault) for occasion, _, fault in looks.seen] == [
        ("T01 is out of time", ""),
        ("Kernel panic - not syncing: hung_task", UNTOLD),
    ]


@pytest.mark.parametrize(
    ("panics", "fault"),
    [
        (PANIC[:2], UNTOLD),  # before there is a driver for pvpanic
        (PANIC[:3], "QEMU was gone by then"),
    ],
)
def test_a_death_that_cannot_be_looked_at_is_said_to_be_so(play: Play, panics: tuple[str, ...], fault: str) -> None:  # noqa: F811
    looks = Looks()
    request = replace(play(*panics, "event:SHUTDOWN/guest-reset", "exit:0"), examine=looks)
    with pytest.raises(KernelError), machine.boot(request, SILENT):
        pass
    assert looks.seen == [("Kernel panic - not syncing: VFS", b"", fault)]


def test_a_reset_without_a_word_is_said_not_to_be_looked_at(play: Play) -> None:  # noqa: F811
    looks = Looks()
    request = replace(play("line:Linux", "event:SHUTDOWN/guest-reset", "exit:0"), examine=looks)
    with pytest.raises(KernelError, match="reset itself"), machine.boot(request, SILENT):
        pass
    ((occasion, _, fault),) = looks.seen
    assert occasion.startswith("the guest reset itself") and fault == UNTOLD


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
        for _ in range(hold.MOST + 2):
            row = Row.of(["T01"])
            answer = guest.run("./t.sh -t 5 -r T01", deadline=Deadline.after(1.0), row=row)
            assert (answer.exit_code, answer.why) == (None, "out of time")
        assert guest.death is None
    assert guest.ending is None
    no_more = ("T01: out of time", b"", f"it had been looked at {hold.MOST} times")
    assert looks.seen == [*[("T01: out of time", b"pieces", "")] * hold.MOST, no_more], "which is said once"


@pytest.mark.parametrize("hangs", [False, True])
def test_the_end_of_a_program_that_has_none_is_looked_at_only_where_its_guest_hangs(
    play_a_guest: Play,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    hangs: bool,
) -> None:
    looks = Looks()
    request = request_for(play_a_guest, "silent T01", looks)
    with machine.boot(request, SILENT) as guest:
        if hangs:
            monkeypatch.setattr(guest, "_end", lambda _: False)
        answer = guest.run("./t.sh -t 5 -r T01", deadline=Deadline.after(1.0), row=Row.of(["T01"]), endless=True)
        assert (answer.exit_code, answer.why, answer.hung) == (None, "out of time", hangs)
    assert [occasion for occasion, *_ in looks.seen] == ["T01: out of time, and the guest does not answer"] * hangs


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


@pytest.mark.parametrize(("steps", "seconds"), [(("guest:",), 4.0), (("guest:", "slowly:"), 0.0)])
def test_a_look_that_outlasts_the_end_of_its_guest_changes_nothing_of_that(
    play_a_guest: Play,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    steps: tuple[str, ...],
    seconds: float,
) -> None:
    monkeypatch.setattr(process, "GRACE", 0.2)
    looks = Looks(seconds=seconds)
    request = play_a_guest(*steps)
    request.kernel.image.write_bytes(b"play: late T02\0")
    request = replace(request, examine=looks, limits=machine.Limits(20.0, 2.0, 20.0))
    with machine.boot(request, SILENT) as guest:
        guest.run("./t.sh -t 5 -r T02", deadline=Deadline.after(20))
        assert guest.death is None
        while not list(request.directory.glob("*.pieces")) and not looks.begun.is_set():
            time.sleep(0.01)
    assert guest.ending is None and guest.death is not None and guest.death.kind is exit.Kind.POWEROFF
    assert looks.seen == [("T02 is out of time", b"pieces", "")]


def request_for(play_a_guest: Play, plays: str, looks: Looks, silence: float = 3.0) -> machine.BootRequest:  # noqa: F811
    """Return the request for a guest that plays this in a test."""
    request = play_a_guest("guest:")
    request.kernel.image.write_bytes(f"play: {plays}\0".encode())
    return replace(request, examine=looks, limits=machine.Limits(20.0, 2.0, silence))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LAST_WORDS", 0.5)
    monkeypatch.setattr(running, "MUTE", 1.0)


@pytest.mark.usefixtures("quick")
def test_a_guest_that_answers_nobody_is_looked_at_and_is_as_one_that_is_silent(play_a_guest: Play) -> None:  # noqa: F811
    looks = Looks()
    with machine.boot(request_for(play_a_guest, "mute T01", looks), SILENT) as guest:
        answer = guest.run("./t.sh -t 5 -r T01", deadline=Deadline.after(60), row=Row.of(["T01"]))
        assert (answer.exit_code, answer.hung) == (None, True)
        assert answer.why == "no output and no console line for 3 s"
    assert guest.ending is None
    assert looks.seen == [("the guest does not answer", b"pieces", "")]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("plays", ["cut T01", "deaf T01"])
def test_a_connection_that_is_lost_of_a_guest_that_lives_is_a_matter_of_the_host(
    play_a_guest: Play,  # noqa: F811
    plays: str,
) -> None:
    looks = Looks()
    request = request_for(play_a_guest, plays, looks)
    with (
        pytest.raises(InfraError, match="the kernel says nothing of it"),
        machine.boot(request, SILENT) as guest,
    ):
        guest.run("./t.sh -t 5 -r T01", deadline=Deadline.after(60), row=Row.of(["T01"]))
    assert looks.seen == [("the guest does not answer", b"pieces", "")]


@pytest.mark.usefixtures("quick")
def test_a_guest_that_answers_nobody_under_a_qemu_that_does_not_answer_is_a_matter_of_the_host(
    play_a_guest: Play,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with machine.boot(request_for(play_a_guest, "mute T01", Looks()), SILENT) as guest:
        execute = guest._qmp.execute

        def stuck(command: str, *more: Any) -> Any:
            if command == "query-status":
                raise InfraError("QEMU does not answer query-status within 5 s")
            return execute(command, *more)

        monkeypatch.setattr(guest._qmp, "execute", stuck)
        with pytest.raises(InfraError, match="the kernel says nothing of it"):
            guest.run("./t.sh -t 5 -r T01", deadline=Deadline.after(60), row=Row.of(["T01"]))


@pytest.mark.usefixtures("quick")
def test_a_panic_of_a_guest_that_answers_nobody_is_one(play_a_guest: Play) -> None:  # noqa: F811
    request = request_for(play_a_guest, "mute T01", Looks(), silence=60.0)
    with machine.boot(replace(request, is_fatal=lambda line: "Kernel panic" in line), SILENT) as guest:
        panic = threading.Timer(2.0, lambda: append(request.console, "Kernel panic - not syncing: lockup\n"))
        panic.start()
        answer = guest.run("./t.sh -t 5 -r T01", deadline=Deadline.after(60), row=Row.of(["T01"]))
        panic.join()
    assert (answer.exit_code, answer.why) == (None, "the guest died: Kernel panic - not syncing: lockup")


def append(file: Path, text: str) -> None:
    with file.open("a") as opened:
        opened.write(text)


class Slow:
    """A monitor whose QEMU takes its time to write the memory; what it was asked to do, and when that was over."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.writes = threading.Event()

    def execute(self, command: str, *_: object) -> None:
        if command == "dump-guest-memory":
            self.writes.set()
            time.sleep(0.5)
        self.did.append(command)

    def hand(self, *_: object) -> None:
        """Take a descriptor."""


def test_a_guest_that_is_to_end_has_gone_on_and_is_held_no_more_but_where_it_died(tmp_path: Path) -> None:
    qmp, looks, console = Slow(), Looks(), tmp_path / "console.log"
    console.write_text("wpci: late T01\n")
    with hold.holding(cast(monitor.Monitor, qmp), console, looks, lambda _: None) as holder:
        thread = threading.Thread(target=holder.look, args=("T01 is out of time",))
        thread.start()
        assert qmp.writes.wait(20)
        holder.leave()
        assert qmp.did == ["stop", "dump-guest-memory", "cont"]
        holder.look("T02 is out of time")
        holder.look("Kernel panic", dead=True)
        thread.join()
    assert [occasion for occasion, *_ in looks.seen] == ["T01 is out of time", "Kernel panic"]


def test_a_guest_that_was_looked_at_often_is_looked_at_when_it_dies(tmp_path: Path) -> None:
    qmp, looks, console = Slow(), Looks(), tmp_path / "console.log"
    console.write_text("")
    with hold.holding(cast(monitor.Monitor, qmp), console, looks, lambda _: None) as holder:
        for number in range(hold.MOST + 2):
            holder.look(f"T{number} is out of time")
        holder.look("Kernel panic", dead=True)
    assert [occasion for occasion, _, fault in looks.seen if not fault][-1] == "Kernel panic"
    assert qmp.did.count("dump-guest-memory") == hold.MOST + 1


def test_what_is_looked_at_is_known_by_what_the_console_had_then(play_a_guest: Play) -> None:  # noqa: F811
    printed: list[tuple[int, str]] = []
    request = play_a_guest("guest:")
    request.kernel.image.write_bytes(b"play: silent T01\0")

    def examine(memory: Memory, deadline: Deadline) -> None:
        printed.append((memory.number, request.console.read_bytes()[: memory.printed].decode().split()[-1]))

    with machine.boot(replace(request, examine=examine), SILENT) as guest:
        guest.run("./t.sh -t 5 -r T01", deadline=Deadline.after(1.0), row=Row.of(["T01"]))
        guest.run("./t.sh -t 5 -r T02", deadline=Deadline.after(20), row=Row.of(["T02"]))
    assert printed == [(1, "T01")]


def test_memory_that_takes_too_long_to_write_is_given_up_and_the_guest_goes_on(
    play_a_guest: Play,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hold, "SECONDS", 1.0)
    looks = Looks()
    request = play_a_guest("guest:", "slowly:")
    request.kernel.image.write_bytes(b"play: silent T01\0")
    with machine.boot(replace(request, examine=looks), SILENT) as guest:
        guest.run("./t.sh -t 5 -r T01", deadline=Deadline.after(1.0), row=Row.of(["T01"]))
        assert guest.run("a -l || true", deadline=Deadline.after(20)).exit_code == 0
    assert guest.ending is None
    ((_, _, fault),) = looks.seen
    assert fault == "QEMU does not answer dump-guest-memory within 1 s"
