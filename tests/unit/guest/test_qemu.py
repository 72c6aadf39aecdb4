"""The command line of QEMU."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import arch
from orchestrator.config.schema import Machine
from orchestrator.guest import qemu
from orchestrator.guest.request import Limits
from orchestrator.model import Accel, AccelFact

FILES = qemu.Files(Path("/k/vmlinux"), Path("/r/initramfs"), Path("/run/console.log"), Path("/tmp/w/qmp"), None)
TCG = AccelFact(Accel.TCG, "max", "7.2", "")


def after(argv: list[str], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(argv) if name == option]


def test_the_guest_reaches_nothing_and_is_reached_on_loopback_only() -> None:
    (netdev,) = after(qemu.argv(FILES, Machine(), TCG), "-netdev")
    assert "restrict=on" in netdev.split(",")
    assert "hostfwd=tcp:127.0.0.1:0-:22" in netdev.split(",")


def test_qemu_gives_up_what_it_does_not_need_where_it_can() -> None:
    (given_up,) = after(qemu.argv(FILES, Machine(), TCG, sandboxed=True), "-sandbox")
    assert {"on", "spawn=deny", "elevateprivileges=deny"} <= set(given_up.split(","))
    assert "-sandbox" not in qemu.argv(FILES, Machine(), TCG)


def test_no_folder_of_the_host_is_shared() -> None:
    argv = qemu.argv(FILES, Machine(swap=2**20), TCG)
    assert not [word for word in argv if "virtfs" in word or "9p" in word or "virtiofs" in word]


def test_a_panic_ends_the_guest_after_the_console_is_flushed() -> None:
    argv = qemu.argv(FILES, Machine(), TCG)
    assert "panic=none" in after(argv, "-action")
    assert "-no-reboot" in argv
    assert "panic=-1" in after(argv, "-append")[0].split()


def test_the_kernel_runs_where_it_was_linked_to() -> None:
    assert "nokaslr" in after(qemu.argv(FILES, Machine(), TCG), "-append")[0].split()


@pytest.mark.parametrize(("accel", "first"), [(Accel.KVM, "kvm"), (Accel.TCG, "tcg")])
def test_one_accelerator_and_no_silent_fallback(accel: Accel, first: str) -> None:
    argv = qemu.argv(FILES, Machine(), AccelFact(accel, "qemu64", "", ""))
    (value,) = after(argv, "-accel")
    assert value.split(",")[0] == first
    assert after(argv, "-cpu") == ["qemu64"]
    assert not [word for word in argv if "accel=" in word]


def test_the_variants_words_come_last_on_the_kernel_command_line() -> None:
    (line,) = after(qemu.argv(FILES, Machine(cmdline=("loglevel=3", "nosmap")), TCG), "-append")
    assert line.endswith(" loglevel=3 nosmap")


def test_kasan_reports_more_than_the_first_bug_of_a_boot() -> None:
    (line,) = after(qemu.argv(FILES, Machine(), TCG), "-append")
    assert "kasan_multi_shot" in line.split()


def test_one_node_is_no_numa_and_two_share_memory_and_cpus() -> None:
    assert qemu.numa_args(Machine(numa_nodes=1)) == []
    args = qemu.numa_args(Machine(cpus=3, memory=1025 * 2**20, numa_nodes=2))
    assert after(args, "-object") == [
        "memory-backend-ram,id=mem0,size=513M",
        "memory-backend-ram,id=mem1,size=512M",
    ]
    assert after(args, "-numa") == ["node,nodeid=0,memdev=mem0,cpus=0,cpus=1", "node,nodeid=1,memdev=mem1,cpus=2"]


@given(st.integers(0, 10**6), st.integers(1, 64))
def test_shares_add_up_and_are_even(total: int, parts: int) -> None:
    shares = qemu.shares(total, parts)
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


def test_the_swap_disk_is_found_by_its_serial_number() -> None:
    files = qemu.Files(FILES.kernel, FILES.initrd, FILES.console, FILES.monitor, Path("/run/swap.img"))
    assert any("serial=swap" in device for device in after(qemu.argv(files, Machine(), TCG), "-device"))
    assert "-drive" not in qemu.argv(FILES, Machine(), TCG)


def test_a_comma_in_a_path_is_doubled() -> None:
    assert qemu.console_args(Path("/a,b/c"))[1] == "file,id=console,path=/a,,b/c"


def test_a_guest_waits_before_its_first_instruction_but_for_one_that_goes_on_from_where_it_was_saved() -> None:
    argv = qemu.argv(FILES, Machine(), TCG, debugger=qemu.Debugger(4321))
    assert after(argv, "-gdb") == ["tcp:127.0.0.1:4321"]
    assert "-S" in argv
    assert "-S" in qemu.argv(FILES, Machine(), TCG)
    restored = dataclasses.replace(FILES, saved=qemu.Saved(Path("/t"), restored=True))
    assert "-S" not in qemu.argv(restored, Machine(), TCG)


def test_the_port_of_ssh_is_read_from_the_monitors_table() -> None:
    table = (
        "Hub -1 (net):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n"
        "  TCP[HOST_FORWARD]  13       127.0.0.1 40123       10.0.2.15    22     0     0\r\n"
    )
    assert qemu.ssh_port(table) == 40123
    assert qemu.ssh_port("Hub -1 (net):\r\n") is None


def test_the_version_is_read_with_its_packaging() -> None:
    text = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright (c) 2003-2022\n"
    assert qemu.version(text) == "7.2.22 (Debian 1:7.2+dfsg-7)"
    assert qemu.version("no such thing") is None


def test_extra_arguments_stand_at_the_end() -> None:
    plain = qemu.argv(FILES, Machine(), TCG)
    assert qemu.argv(FILES, Machine(), TCG, extra=("-device", "edu")) == [*plain, "-device", "edu"]


@pytest.mark.parametrize(("boot", "start"), [(2.0, 20.0), (60.0, 20.0), (600.0, 200.0)])
def test_qemu_has_longer_to_start_where_a_boot_has(boot: float, start: float) -> None:
    assert Limits(boot=boot, shutdown=1.0, silence=1.0).start == start


def test_what_an_architecture_needs_is_on_the_command_line() -> None:
    board = dataclasses.replace(
        arch.DEFAULT,
        name="arm64",
        qemu="qemu-system-aarch64",
        board="virt",
        console=("console=ttyAMA0",),
        panic_device=None,
    )
    argv = qemu.argv(FILES, Machine(), TCG, arch=board)
    assert argv[0] == "qemu-system-aarch64" and after(argv, "-machine") == ["virt"]
    assert after(argv, "-append")[0].startswith("console=ttyAMA0 ") and "ttyS0" not in " ".join(argv)
    assert "pvpanic" not in argv and "pvpanic" in qemu.argv(FILES, Machine(), TCG)


def test_a_saved_guest_has_its_memory_in_files_which_its_clones_copy_on_write() -> None:
    machine = Machine(numa_nodes=2, memory=2**30)
    saved = qemu.argv(dataclasses.replace(FILES, saved=qemu.Saved(Path("/s"))), machine, TCG)
    assert after(saved, "-object") == [
        f"memory-backend-file,id=mem{node},size=512M,share=on,mem-path=/s/memory{node}" for node in (0, 1)
    ]
    clone = qemu.argv(
        dataclasses.replace(FILES, swap=Path("/s/swap"), saved=qemu.Saved(Path("/s"), restored=True)), machine, TCG
    )
    assert all("share=off" in memory for memory in after(clone, "-object"))
    assert after(clone, "-incoming") == ["defer"]
    assert any("file=/s/swap" in drive and "snapshot=on" in drive for drive in after(clone, "-drive"))
    assert "-incoming" not in saved


def test_a_saved_guest_of_one_node_has_its_memory_in_a_file() -> None:
    argv = qemu.argv(dataclasses.replace(FILES, saved=qemu.Saved(Path("/s"))), Machine(), TCG)
    assert after(argv, "-machine") == ["q35,memory-backend=mem0"]
    assert after(argv, "-object") == ["memory-backend-file,id=mem0,size=1024M,share=on,mem-path=/s/memory0"]


@given(st.integers(1, 16), st.integers(1, 8))
def test_no_socket_lies_across_nodes(cpus: int, nodes: int) -> None:
    machine = Machine(cpus=cpus, memory=2**30, numa_nodes=nodes)
    places = [[int(n) for n in re.findall(r"cpus=(\d+)", arg)] for arg in qemu.numa_args(machine) if "nodeid" in arg]
    dealt = [cpu for node in places for cpu in node]
    assert dealt == (list(range(cpus)) if nodes > 1 else [])
    sockets = int(qemu.smp(machine).partition("sockets=")[2] or 1)
    each, over = divmod(cpus, sockets)
    assert over == 0
    node_of = {cpu: number for number, node in enumerate(places) for cpu in node}
    for socket in range(sockets):
        assert len({node_of.get(socket * each + k, 0) for k in range(each)}) == 1
