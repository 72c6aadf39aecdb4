"""A real kernel in a real QEMU: what a guest does when all is well, and how it is told when it is not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.arch import DEFAULT
from orchestrator.config import schema
from orchestrator.config.schema import Machine
from orchestrator.errors import InfraError
from orchestrator.guest import accel, cage, dial, exit, machine, verify
from orchestrator.guest.rootfs import rootfs
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline, sandbox
from orchestrator.model import Accel, AccelFact, Kernel, Programs, Rootfs
from orchestrator.progress import SILENT

TCG = AccelFact(Accel.TCG, "max", "", "test")
Make = Callable[..., machine.BootRequest]
LIMITS = machine.Limits(boot=300.0, shutdown=60.0, silence=300.0)
DYNAMIC = '#include <stdio.h>\n#include <math.h>\nint main(int c, char **v){printf("%.0f\\n", sqrt(c * 49.0));}\n'


def soon(seconds: float = 120.0) -> Deadline:
    return Deadline.after(seconds)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Rootfs:
    programs = tmp_path_factory.mktemp("programs")
    (programs / "script").write_text("#!/bin/sh\necho from a script\n")
    (programs / "script").chmod(0o755)
    (programs / "dynamic.c").write_text(DYNAMIC)
    subprocess.run(["gcc", "-fno-builtin", "-o", programs / "dynamic", programs / "dynamic.c", "-lm"], check=True)
    folder = tmp_path_factory.mktemp("rootfs")
    spec = rootfs.RootfsSpec(folder, DEFAULT, (Programs("own", programs, ""),))
    return rootfs.build(spec, Cache(folder / "cache"), SILENT)


@pytest.fixture(scope="module")
def request_for(kernel: Kernel, made: Rootfs, tmp_path_factory: pytest.TempPathFactory) -> Make:
    def make(**changes: Any) -> machine.BootRequest:
        plain = machine.BootRequest(
            kernel,
            made,
            Machine(numa_nodes=2, swap=64 * 2**20),
            TCG,
            tmp_path_factory.mktemp("boot"),
            LIMITS,
            lambda line: "Kernel panic - not syncing" in line or "BUG: " in line,
            sockets=dial.program(Cache.default()),
        )
        return replace(plain, **changes)

    return make


@pytest.fixture(scope="module")
def guest(request_for: Make) -> Iterator[machine.Guest]:
    """One guest for all the tests that leave it whole."""
    with machine.boot(request_for(), SILENT) as running:
        yield running
        assert running.death is None


def test_it_is_the_kernel_that_was_built(guest: machine.Guest, kernel: Kernel) -> None:
    verify.same_kernel(guest, kernel)
    with pytest.raises(InfraError, match="booted another kernel"):
        verify.same_kernel(guest, replace(kernel, build_id="00" * 20))


def test_qemu_itself_tells_its_accelerator(guest: machine.Guest) -> None:
    assert guest.facts.accel is Accel.TCG


def test_nodes_and_swap_are_there(guest: machine.Guest) -> None:
    answer = guest.run("ls -d /sys/devices/system/node/node[0-9]; cat /proc/swaps", deadline=soon())
    assert answer.stdout.count("/sys/devices/system/node/node") == 2
    assert "/dev/vda" in answer.stdout


def test_scripts_and_dynamic_programs_run(guest: machine.Guest) -> None:
    assert guest.run("/tests/own/script", deadline=soon()).stdout == "from a script\n"
    assert guest.run("/tests/own/dynamic", deadline=soon()).stdout == "7\n"


@pytest.mark.parametrize(("command", "code"), [("exit 7", 7), ("true", 0), ("kill -9 $$", 137), ("if", 2)])
def test_exit_codes_come_through(guest: machine.Guest, command: str, code: int) -> None:
    assert guest.run(f"sh -c {command!r}", deadline=soon()).exit_code == code


def test_output_is_bytes_in_order_of_both_streams_and_in_the_file(guest: machine.Guest, tmp_path: Path) -> None:
    file = tmp_path / "output"
    answer = guest.run("printf 'a\\377b\\n'; echo err >&2; printf 'end'", deadline=soon(), output=file)
    assert file.read_bytes() == b"a\xffb\nerr\nend"
    assert answer.stdout == "a\N{REPLACEMENT CHARACTER}b\nerr\nend"


def test_what_is_over_the_cap_is_dropped_in_the_guest_and_said(guest: machine.Guest) -> None:
    answer = guest.run("head -c 3000000 /dev/zero; exit 3", deadline=soon(), cap=1000)
    assert (answer.exit_code, len(answer.stdout), answer.truncated) == (3, 1000, True)
    answer = guest.run("head -c 1000 /dev/zero", deadline=soon(), cap=1000)
    assert (len(answer.stdout), answer.truncated) == (1000, False)


def test_a_command_out_of_time_is_killed_with_its_children_and_its_output_kept(guest: machine.Guest) -> None:
    answer = guest.run("echo begun; sleep 12345 & sleep 12345", deadline=soon(5))
    assert (answer.exit_code, answer.stdout, answer.why, answer.hung) == (None, "begun\n", "out of time", False)
    assert guest.run("ps | grep -c '[s]leep 12345'", deadline=soon()).stdout == "0\n"


@pytest.mark.nightly
def test_a_silent_command_is_ended_before_its_time_limit(request_for: Make) -> None:
    with machine.boot(request_for(limits=replace(LIMITS, silence=20.0)), SILENT) as guest:
        answer = guest.run("echo begun; sleep 12345", deadline=soon(3600))
        assert answer.exit_code is None
        assert "no output" in answer.why


def test_nobody_on_this_host_reaches_the_ssh_of_a_guest(guest: machine.Guest) -> None:
    if why := cage.obstacle(DEFAULT.qemu):
        pytest.fail(f"no cage here: {why}")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", guest.port), 20)


def test_a_guest_that_others_enter_is_reached_through_loopback(request_for: Make) -> None:
    with (
        machine.boot(request_for(sockets=None), SILENT) as guest,
        socket.create_connection(("127.0.0.1", guest.port), 60) as end,
    ):
        assert end.recv(8).startswith(b"SSH-2.0")
        assert guest.run("echo hi", deadline=soon()).stdout == "hi\n"


def test_a_guest_reaches_nothing_of_the_host_nor_beyond(guest: machine.Guest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        port = server.getsockname()[1]
        tries = f"ip addr; for a in 10.0.2.2 127.0.0.1 10.0.2.3; do timeout 5 nc $a {port} </dev/null; echo $?; done"
        answer = guest.run(tries, deadline=soon())
        assert "10.0.2.15" in answer.stdout and "\n0\n" not in answer.stdout, answer.stdout
        with pytest.raises(TimeoutError):
            server.accept()


def test_files_go_there_and_back(guest: machine.Guest, tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(bytes(range(256)) * 100)
    guest.put(there, "/tmp/file", deadline=soon())
    guest.get("/tmp/file", back, deadline=soon())
    assert back.read_bytes() == there.read_bytes()
    with pytest.raises(InfraError, match="/no/such"):
        guest.get("/no/such", tmp_path / "none", deadline=soon())
    assert not (tmp_path / "none").exists()


def test_tests_are_not_safe_from_the_out_of_memory_killer_and_ssh_is(guest: machine.Guest) -> None:
    answer = guest.run("cat /proc/self/oom_score_adj /proc/$(cat /run/dropbear.pid)/oom_score_adj", deadline=soon())
    assert answer.stdout == "0\n-1000\n"


def test_orphans_are_reaped(guest: machine.Guest) -> None:
    guest.run("for i in 1 2 3 4 5; do (sleep 0 &); done", deadline=soon())
    waits = "n=9; while [ $n -gt 0 ] && grep -qs '^State:.Z' /proc/[0-9]*/status; do sleep 1; n=$((n-1)); done; echo $n"
    answer = guest.run(waits, deadline=soon())
    assert int(answer.stdout) > 0


def test_it_powers_off_by_itself_and_says_so(request_for: Make) -> None:
    request = request_for()
    with machine.boot(request, SILENT) as guest:
        assert guest.shutdown()
        assert guest.death is not None
        assert guest.death.kind is exit.Kind.POWEROFF
    assert not request.swap.exists()


def test_a_panic_ends_a_running_command_at_once(request_for: Make, tmp_path: Path) -> None:
    request, output = request_for(), tmp_path / "output"
    with machine.boot(request, SILENT) as guest:
        command = "echo before; sleep 1; echo c >/proc/sysrq-trigger; sleep 1000"
        answer = guest.run(command, deadline=soon(900), output=output)
        assert answer.exit_code is None
        assert answer.seconds < 300
        assert "Kernel panic - not syncing: sysrq triggered crash" in answer.why
        assert guest.death is not None
        assert guest.death.kind is exit.Kind.PANIC
        assert not guest.shutdown()
    assert output.read_text() == "before\n"


def test_a_killed_qemu_is_not_the_kernels_fault(request_for: Make) -> None:
    request = request_for()
    with machine.boot(request, SILENT) as guest:
        os.kill(_qemu_of(request), signal.SIGKILL)
        with pytest.raises(InfraError, match="QEMU was killed by signal 9"):
            guest.run("sleep 1000", deadline=soon(900))


def _qemu_of(request: machine.BootRequest) -> int:
    wanted = str(request.console).encode()
    commands = {p: p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline")}
    (found,) = (p for p, text in commands.items() if text.startswith(b"qemu") and wanted in text)
    return int(found.parent.name)


def test_qemu_has_no_rights_and_sees_its_own_boot_alone(request_for: Make, made: Rootfs) -> None:
    request = request_for()
    with machine.boot(request, SILENT):
        process = Path("/proc", str(_qemu_of(request)))
        status = dict(line.split(":\t") for line in (process / "status").read_text().splitlines() if ":\t" in line)
        inside = process / "root"
        there = {str(path) for path in map(Path, (request.console, request.log, made.image, made.identity))}
        seen = {path for path in there if (inside / path.lstrip("/")).exists()}
    user = sandbox.GUESTS if os.geteuid() == 0 else os.geteuid()
    assert set(status["Uid"].split()) == {str(user)}
    assert (int(status["CapEff"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, 0, "1")
    assert seen == {str(request.console), str(made.image)}
    assert request.console.stat().st_size


def test_ssh_that_dies_while_the_kernel_lives_is_not_the_kernels_fault(
    request_for: Make,
) -> None:
    with machine.boot(request_for(limits=replace(LIMITS, shutdown=5.0)), SILENT) as guest:
        with pytest.raises(InfraError, match="the kernel says nothing of it"):
            guest.run("killall -9 dropbear; sleep 1000", deadline=soon(900))
        assert guest.death is None


def test_another_hosts_key_is_refused(request_for: Make, made: Rootfs) -> None:
    stranger = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINcLEsz3gFie8LuQQeBysfLBvbOd56WFJeXLRW27Bw4i"
    with (
        pytest.raises(InfraError, match="not our guest"),
        machine.boot(request_for(rootfs=replace(made, host_key=stranger)), SILENT),
    ):
        pass


def test_auto_ends_with_a_guest_that_runs_whatever_this_hosts_kvm_is(request_for: Make, tmp_path: Path) -> None:
    limits = accel.probe_limits(schema.Limits())

    def probe(fact: AccelFact) -> None:
        with machine.boot(request_for(accel=fact, limits=limits), SILENT):
            pass

    cache = Cache(tmp_path)
    fact = accel.choose("auto", Machine(), probe, cache, SILENT)
    assert fact.reason
    assert accel.choose("auto", Machine(), lambda _: pytest.fail("probed twice"), cache, SILENT) == fact
    with machine.boot(request_for(accel=fact), SILENT) as guest:
        assert guest.facts.accel is fact.accel
