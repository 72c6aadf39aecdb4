"""How a guest comes up and ends, against a QEMU that plays a script on real QMP and a real console file."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.config.schema import Machine
from orchestrator.errors import InfraError, KernelError, PipelineError
from orchestrator.guest import exit, machine, monitor, qemu, running
from orchestrator.host.process import Deadline
from orchestrator.model import Accel, AccelFact, Kernel, Rootfs
from orchestrator.progress import SILENT

FAKE = Path(__file__).parents[2] / "fakes" / "fakeqemu.py"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINcLEsz3gFie8LuQQeBysfLBvbOd56WFJeXLRW27Bw4i"
PANIC = "line:Kernel+panic+-+not+syncing:+VFS"

Play = Callable[..., machine.BootRequest]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Return a function that makes the request for a guest that plays the steps."""

    def make(*steps: str, accel: Accel = Accel.TCG, boot: float = 20.0, silence: float = 20.0) -> machine.BootRequest:
        fake = tmp_path / "qemu"
        fake.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
        fake.chmod(0o755)
        file = tmp_path / "vmlinux"
        file.write_bytes(b"")
        return machine.BootRequest(
            Kernel("k", file, file, file, None, "5.10.0", "00", "", "", (), file),
            Rootfs(file, "", file, KEY),
            Machine(cmdline=(f"fake={','.join(steps)}",), swap=2**20),
            AccelFact(accel, "max", "7.2", ""),
            tmp_path / "boot",
            machine.Limits(boot, 2.0, silence),
            lambda line: "Kernel panic" in line or "BUG: " in line,
            binary=str(fake),
        )

    return make


def fault(request: machine.BootRequest) -> PipelineError:
    with pytest.raises(PipelineError) as caught, machine.boot(request, SILENT):
        pass
    assert "fakeqemu" not in running_commands()
    return caught.value


def running_commands() -> str:
    mine = str(os.getpid())
    return subprocess.run(["ps", "-o", "args=", "--ppid", mine], capture_output=True, text=True, check=True).stdout


def test_a_panic_before_login_is_the_kernels_fault(play: Play) -> None:
    request = play("line:Linux+version+5.10", PANIC, "event:GUEST_PANICKED", "event:SHUTDOWN/guest-reset", "exit:0")
    error = fault(request)
    assert isinstance(error, KernelError)
    assert str(error) == "panic before login: Kernel panic - not syncing: VFS"
    assert error.log == request.console


def test_a_panic_that_does_not_exit_is_reported_before_the_boot_limit(play: Play) -> None:
    """The limit is longer than a test may take."""
    error = fault(play(PANIC, "hang:", boot=600.0))
    assert isinstance(error, KernelError)


def test_the_whole_oops_is_on_the_console_when_the_panic_is_reported(play: Play) -> None:
    lines = [f"line:trace+{number}" for number in range(200)]
    request = play("line:BUG:+unable+to+handle", *lines, "event:SHUTDOWN/guest-reset", "exit:0")
    error = fault(request)
    assert str(error) == "panic before login: BUG: unable to handle"
    assert request.console.read_text().splitlines()[-1] == "trace 199"


def test_pvpanic_is_enough_where_the_console_is_silent(play: Play) -> None:
    error = fault(play("event:GUEST_PANICKED", "event:SHUTDOWN/guest-reset", "exit:0"))
    assert isinstance(error, KernelError)
    assert "panicked" in str(error)


def test_a_kernel_dies_no_sooner_than_its_events_are_read(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = machine._facts

    def late(qmp: monitor.Monitor) -> running.QemuFacts:
        time.sleep(0.3)
        return facts(qmp)

    monkeypatch.setattr(machine, "_facts", late)
    error = fault(play("event:GUEST_PANICKED", "event:SHUTDOWN/guest-reset", "exit:0"))
    assert isinstance(error, KernelError)
    assert "panicked" in str(error)


def test_a_guest_under_a_debugger_is_not_let_go_on_by_us(play: Play) -> None:
    request = dataclasses.replace(play("line:Linux", "guest:", boot=1.0), debugger=qemu.Debugger(0))
    error = fault(request)
    assert isinstance(error, exit.Hung)
    assert str(error).startswith("the kernel printed nothing")


def test_a_guest_that_others_look_at_may_stop(play: Play, tmp_path: Path) -> None:
    request = play("line:Linux", "event:STOP", "hang:", boot=3.0)
    assert "QEMU stopped the guest" in str(fault(request))
    request = dataclasses.replace(request, directory=tmp_path / "another", monitors=(tmp_path,))
    assert isinstance(fault(request), exit.Hung)


def test_a_reset_without_a_word_is_the_kernels_fault(play: Play) -> None:
    error = fault(play("event:SHUTDOWN/guest-reset", "exit:0"))
    assert isinstance(error, KernelError)
    assert "reset before login" in str(error)


def test_a_qemu_that_refuses_to_start_is_quoted(play: Play) -> None:
    request = play("refuse:-accel+kvm:+failed")
    error = fault(request)
    assert isinstance(error, InfraError)
    assert str(error) == "QEMU does not start: qemu-system-x86_64: -accel kvm: failed"
    assert error.log == request.log
    assert request.log.read_text().startswith("$ ")


def test_a_qemu_that_is_not_installed_is_named(play: Play, tmp_path: Path) -> None:
    request = play("exit:0")
    (tmp_path / "qemu").unlink()
    assert "is not installed" in str(fault(request))


def test_a_killed_qemu_is_not_the_kernels_fault(play: Play) -> None:
    error = fault(play("line:Linux+version+5.10", "die:SIGKILL"))
    assert isinstance(error, InfraError)
    assert str(error) == "QEMU was killed by signal 9"


def test_a_qemu_ended_by_a_signal_of_someone_else_is_not_the_kernels_fault(play: Play) -> None:
    error = fault(play("line:Linux+version+5.10", "event:SHUTDOWN/host-signal", "exit:0"))
    assert isinstance(error, InfraError)
    assert "from outside" in str(error)


def test_a_guest_that_qemu_stops_is_not_the_kernels_fault(play: Play) -> None:
    assert isinstance(fault(play("line:Linux+version+5.10", "event:STOP", "hang:")), InfraError)


def test_a_kernel_that_hangs_in_boot_is_told_with_its_last_line(play: Play) -> None:
    error = fault(play("line:Linux+version+5.10", "line:Mounting+root", "hang:", boot=2.0))
    assert isinstance(error, exit.Hung)
    assert "the last line is: Mounting root" in str(error)


def test_silence_ends_the_wait_before_the_boot_limit(play: Play) -> None:
    error = fault(play("line:Mounting+root", "hang:", boot=600.0, silence=0.5))
    assert isinstance(error, exit.Hung)


def test_a_kernel_that_prints_nothing_is_at_fault_under_tcg_and_kvm_is_under_kvm(play: Play, tmp_path: Path) -> None:
    assert isinstance(fault(play("hang:", boot=1.0)), KernelError)
    (tmp_path / "boot" / "console.log").unlink()
    error = fault(play("hang:", boot=1.0, accel=Accel.KVM))
    assert isinstance(error, InfraError)
    assert "printed nothing" in str(error)


def test_an_init_that_fails_says_what_is_missing(play: Play) -> None:
    error = fault(play("line:wpci:+failed:+mount+-t+sysfs+sys+/sys", "event:SHUTDOWN/guest-shutdown", "exit:0"))
    assert isinstance(error, KernelError)
    assert str(error) == "init failed: mount -t sysfs sys /sys"


def test_ssh_that_never_greets_is_not_the_kernels_fault(play: Play) -> None:
    error = fault(play("line:wpci:+ready", "hang:", boot=2.0))
    assert isinstance(error, InfraError)
    assert "SSH does not answer" in str(error)


def test_a_panic_while_ssh_is_awaited_beats_the_lost_connection(play: Play) -> None:
    error = fault(play("line:wpci:+ready", PANIC, "event:SHUTDOWN/guest-reset", "exit:0", boot=600.0))
    assert isinstance(error, KernelError)
    assert "Kernel panic" in str(error)


def test_a_console_of_another_boot_is_not_written_over(play: Play, tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot" / "console.log").write_text("evidence")
    assert "another boot" in str(fault(play("hang:")))
    assert (tmp_path / "boot" / "console.log").read_text() == "evidence"


def test_a_folder_that_cannot_be_made_is_an_infra_error(play: Play, tmp_path: Path) -> None:
    request = play("hang:")
    (tmp_path / "boot").write_text("in the way")
    assert isinstance(fault(request), InfraError)


def test_no_swap_disk_stays_behind(play: Play, tmp_path: Path) -> None:
    fault(play(PANIC, "exit:0"))
    assert sorted(path.name for path in (tmp_path / "boot").iterdir()) == ["console.log", "markers.jsonl", "qemu.log"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_qemu_outlives_us(tmp_path: Path, play: Play, number: signal.Signals) -> None:
    request = play("line:Linux", "hang:")
    script = tmp_path / "boot.py"
    script.write_text(
        textwrap.dedent(f"""
        import signal
        from pathlib import Path
        from orchestrator.config.schema import Machine
        from orchestrator.guest import machine
        from orchestrator.model import Accel, AccelFact, Kernel, Rootfs
        from orchestrator.progress import SILENT
        file = Path({str(request.kernel.image)!r})
        signal.signal(signal.SIGINT, signal.default_int_handler)
        request = machine.BootRequest(
            Kernel("k", file, file, file, None, "", "", "", "", (), file), Rootfs(file, "", file, {KEY!r}),
            Machine(cmdline=("fake=line:Linux,hang:",)), AccelFact(Accel.TCG, "max", "", ""),
            Path({str(request.directory)!r}), machine.Limits(600, 2, 600), lambda line: False,
            binary={request.binary!r})
        with machine.boot(request, SILENT):
            pass
        """)
    )
    ours = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    wait_until(lambda: request.console.exists() and request.console.stat().st_size > 0)
    (child,) = children(ours.pid)
    ours.send_signal(number)
    ours.wait(30)
    wait_until(lambda: not alive(child))


def children(pid: int) -> list[int]:
    text = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True).stdout
    return [int(word) for word in text.split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = Deadline.after(60)
    while not holds():
        assert not deadline.expired
        time.sleep(0.02)
