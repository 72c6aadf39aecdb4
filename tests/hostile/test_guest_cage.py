"""Attacks of a guest that broke out of QEMU: each tries one thing from its place, and none comes to anything."""

from __future__ import annotations

import os
import re
import shutil
import socket
from pathlib import Path

import pytest

from orchestrator.arch import DEFAULT
from orchestrator.config.schema import Machine
from orchestrator.guest import cage, dial, machine, qemu
from orchestrator.guest.request import BootRequest
from orchestrator.host import process
from orchestrator.host.cache import Cache
from orchestrator.host.process import sandbox
from orchestrator.model import Accel, AccelFact, Kernel, Rootfs


class Place:
    """What there is where QEMU runs: results, a cache, a key in a home."""

    def __init__(self, folder: Path) -> None:
        if why := cage.obstacle(DEFAULT.qemu):
            pytest.fail(f"no cage here: {why}")
        self.folder = folder
        for name in ("cache", "home", "results"):
            (folder / name).mkdir()
        for name in ("cache/vmlinux", "cache/initramfs", "cache/other", "home/id_rsa", "results/result.json"):
            (folder / name).write_text("A SECRET")
        kernel, image, socket = folder / "cache" / "vmlinux", folder / "cache" / "initramfs", folder / "qmp"
        socket.touch()
        self.request = BootRequest(
            Kernel("k", kernel, kernel, kernel, None, "5.10.0", "00", "", "", (), kernel),
            Rootfs(image, "", folder / "home" / "id_rsa"),
            Machine(swap=2**20),
            AccelFact(Accel.TCG, "max", "7.2", ""),
            folder / "results" / "boot",
            machine.Limits(1.0, 1.0, 1.0),
            lambda line: False,
            sockets=dial.program(Cache(folder / "cache")),
        )
        self.files = qemu.Files(kernel, image, self.request.console, socket, self.request.swap)

    def attack(self, script: str) -> str:
        """Run a script in the place of QEMU; return what it printed."""
        walls = machine._prepared(self.request, self.files)
        argv = ["sh", "-c", f"{{ echo begun; {script}; }} 2>&1", "sh", str(self.folder)]
        return process.run(argv, cage=walls, check=False).stdout


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


ATTACKS = {
    "read a key in a home": "cat $1/home/id_rsa && echo DONE",
    "read results": "cat $1/results/result.json && echo DONE",
    "read another kernel": "cat $1/cache/other && echo DONE",
    "read root's home": "ls -A /root | grep . && echo DONE",
    "read the password hashes": "cat /etc/shadow && echo DONE",
    "see the host's processes and their environment": "grep -q bwrap /proc/1/cmdline || echo DONE",
    "change the kernel": "echo x >>$1/cache/vmlinux && echo DONE",
    "change the initramfs": "echo x >>$1/cache/initramfs && echo DONE",
    "change the program of the system": "[ -w /usr/bin/true ] && echo DONE",
    "put a link in place of the console": "ln -sfn $1/results/result.json $1/results/boot/console.log && echo DONE",
    "remove the console": "rm -f $1/results/boot/console.log && echo DONE",
    "be root": "id -u | grep -qx 0 && echo DONE",
    "get rights from a namespace": "unshare --user --map-root-user true && echo DONE",
    "see a network of the host": "grep : /proc/net/dev | grep -v '^ *lo:' && echo DONE",
    "reach an address": "bash -c 'exec 3<>/dev/tcp/192.0.2.1/80' 2>&1 | grep -q unreachable || echo DONE",
    "reach a disk": "ls /dev | grep -E '^(vd|sd|nvme|loop)' && echo DONE",
    "reach KVM, under TCG": "ls /dev/kvm && echo DONE",
    "fill the disk with a file": "truncate -s 20G $1/results/boot/swap.img && echo DONE",
}


@pytest.mark.parametrize("what", ATTACKS)
def test_a_guest_that_broke_out_cannot(place: Place, what: str) -> None:
    printed = place.attack(ATTACKS[what])
    assert "begun" in printed and "DONE" not in printed, printed


def test_a_guest_that_broke_out_reaches_no_port_of_the_host(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        printed = place.attack(f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{server.getsockname()[1]}' && echo DONE")
    assert "Connection refused" in printed and "DONE" not in printed, printed


def test_what_a_guest_leaves_beside_its_console_is_gone_with_the_cage(place: Place) -> None:
    assert "begun" in place.attack("for name in left markers.jsonl; do echo x >$1/results/boot/$name; done")
    folder = place.request.directory
    assert sorted(path.name for path in folder.iterdir()) == ["console.log", "markers.jsonl", "swap.img"]
    assert (folder / "markers.jsonl").read_bytes() == b""


def test_what_a_guest_needs_is_there(place: Place) -> None:
    printed = place.attack(
        "cat $1/cache/vmlinux $1/cache/initramfs; echo; echo a line >>$1/results/boot/console.log;"
        " echo x >$1/results/boot/swap.img; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status"
    )
    assert printed.count("A SECRET") == 2
    assert re.findall(r"(\w+):\t(\w+)", printed) == [("CapEff", "0" * 16), ("CapBnd", "0" * 16), ("NoNewPrivs", "1")]
    assert place.request.console.read_text() == "a line\n" and place.request.swap.read_text() == "x\n"
    wanted = sandbox.GUESTS if os.geteuid() == 0 else os.geteuid()
    assert place.request.console.stat().st_uid == wanted


def test_a_qemu_of_ones_own_is_in_no_cage_and_that_is_said(place: Place) -> None:
    own = place.folder / "qemu-own"
    shutil.copy("/bin/true", own)
    assert cage.obstacle(str(own)) == f"{own} is none of the system's programs"
    assert (cage.name(str(own)), cage.name(DEFAULT.qemu)) == (sandbox.name(), f"{sandbox.name()}, QEMU too")
