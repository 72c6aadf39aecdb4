"""What init must do, as far as its text shows; that it works is for the boot ring."""

from __future__ import annotations

from importlib import resources

from orchestrator.guest import console, qemu

TEXT = resources.files("orchestrator.guest.rootfs").joinpath("init.sh").read_text()


def test_its_markers_are_those_the_host_waits_for() -> None:
    assert f'say() {{ echo "{console.READY.split()[0]} $*"' in TEXT
    for marker in (console.READY, console.END):
        assert f"\nsay {marker.split()[1]}\n" in TEXT
    assert f'say "{console.FAILED.split()[1]} $*"' in TEXT


def test_it_looks_for_the_swap_disk_by_the_serial_number_that_qemu_gives() -> None:
    assert f"= {qemu.SWAP_SERIAL} ]" in TEXT


def test_ssh_takes_no_password_and_no_forwarding() -> None:
    (line,) = [line for line in TEXT.splitlines() if "dropbear -" in line]
    assert {"-s", "-j", "-k"} <= set(line.split())
