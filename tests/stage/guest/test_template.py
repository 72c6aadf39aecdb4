"""How a guest is saved and cloned, against a QEMU that plays a script on real QMP."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.arch import DEFAULT
from orchestrator.config.schema import Machine
from orchestrator.errors import InfraError, KernelError
from orchestrator.guest import machine, template
from orchestrator.guest.rootfs import rootfs
from orchestrator.host import scratch
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.model import Accel, AccelFact, Kernel
from orchestrator.progress import SILENT

FAKE = Path(__file__).parents[2] / "fakes" / "fakeqemu.py"
Play = Callable[..., machine.BootRequest]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Return a function that makes the request for a guest that plays the steps."""

    def make(*steps: str, accel: Accel = Accel.TCG, nodes: int = 1) -> machine.BootRequest:
        fake = tmp_path / "qemu"
        fake.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
        fake.chmod(0o755)
        image = tmp_path / "kernels" / "k" / "vmlinux"
        image.parent.mkdir(parents=True)
        image.write_bytes(b"")
        return machine.BootRequest(
            Kernel("k", image, image, image, None, "5.10.0", "00", "", "", (), image),
            rootfs.build(rootfs.RootfsSpec(tmp_path / "rootfs", DEFAULT), Cache(tmp_path / "cache"), SILENT),
            Machine(cmdline=(f"fake={','.join(steps)}",), swap=2**20, memory=2**26, numa_nodes=nodes),
            AccelFact(accel, "max", "7.2", ""),
            tmp_path / "template",
            machine.Limits(20.0, 5.0, 20.0),
            lambda line: "Kernel panic" in line,
            binary=str(fake),
        )

    return make


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_clone_answers_and_is_renewed_before_anything_else(play: Play, tmp_path: Path, nodes: int) -> None:
    with template.made(play("guest:", nodes=nodes), SILENT, tmp_path) as saved:
        for number in (1, 2):
            with template.clone(saved, tmp_path / f"clone-{number}") as guest:
                assert guest.run("a -l || true", deadline=Deadline.after(20)).stdout.startswith("== t.sh")
            assert guest.ending is None
            assert "wpci: ready" not in guest.console.read_text()
    commands = (tmp_path / "fake-guest" / "k" / "commands").read_text().splitlines()
    assert "/sbin/renew " in commands[0]
    assert sum("/sbin/renew " in command for command in commands) == 2


def test_a_clone_changes_nothing_of_the_template_and_nothing_stays(play: Play, tmp_path: Path) -> None:
    with template.made(play("guest:"), SILENT, tmp_path) as saved:
        with template.clone(saved, tmp_path / "clone") as guest:
            argv = (tmp_path / "clone" / "qemu.log").read_text()
        assert guest.ending is None
        assert "share=off" in argv
        assert "snapshot=on" in argv
        assert saved.request.directory.joinpath("qemu.log").read_text().count("share=on") == 1
        assert sorted(p.name for p in saved.folder.iterdir()) == ["memory0", "state", "swap.img"]
    assert not saved.folder.exists()


def test_a_clone_that_dies_is_the_kernels_doing_and_the_next_one_lives(play: Play, tmp_path: Path) -> None:
    with template.made(play("guest:"), SILENT, tmp_path) as saved:
        saved = replace(saved, request=play_dead(saved.request))
        with pytest.raises(KernelError, match="Kernel panic"), template.clone(saved, tmp_path / "dead"):
            pass
        with template.clone(replace(saved, request=alive(saved.request)), tmp_path / "alive") as guest:
            assert guest.death is None


def play_dead(request: machine.BootRequest) -> machine.BootRequest:
    return _with(request, "fake=line:Kernel+panic+-+not+syncing:+late,event:SHUTDOWN/guest-reset,exit:0")


def alive(request: machine.BootRequest) -> machine.BootRequest:
    return _with(request, "fake=guest:")


def _with(request: machine.BootRequest, play: str) -> machine.BootRequest:
    return replace(request, machine=request.machine.model_copy(update={"cmdline": (play,)}))


def test_a_guest_that_does_not_come_up_makes_no_template(play: Play, tmp_path: Path) -> None:
    request = play("line:Kernel+panic+-+not+syncing:+VFS", "event:SHUTDOWN/guest-reset", "exit:0")
    with pytest.raises(KernelError, match="panic before login"), template.made(request, SILENT, tmp_path):
        pass
    assert not list(tmp_path.glob(f"{scratch.PREFIX}*"))


def test_what_stands_in_the_way_is_said(play: Play, tmp_path: Path) -> None:
    request = play("guest:")
    assert template.obstacle(request, tmp_path) == ""
    assert "clock" in template.obstacle(replace(request, accel=replace(request.accel, accel=Accel.KVM)), tmp_path)
    huge = request.machine.model_copy(update={"memory": 2**50})
    assert "MiB left" in template.obstacle(replace(request, machine=huge), tmp_path)
    assert "No such file" in template.obstacle(request, tmp_path / "absent")
    with (
        pytest.raises(InfraError, match="no guest can be cloned"),
        template.made(replace(request, machine=huge), SILENT, tmp_path),
    ):
        pass


def test_no_descriptor_stays_open(play: Play, tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with (
        template.made(play("guest:"), SILENT, tmp_path) as saved,
        template.clone(saved, tmp_path / "clone"),
    ):
        pass
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
