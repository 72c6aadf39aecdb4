"""What init must do, as far as its text shows; that it works is for the boot ring."""

from __future__ import annotations

from importlib import resources

from orchestrator.guest import protocol, qemu

TEXT = resources.files("orchestrator.guest.rootfs").joinpath("init.sh").read_text()


def test_its_markers_are_those_the_host_waits_for() -> None:
    assert f'say() {{ echo "{protocol.READY.split()[0]} $*"' in TEXT
    assert f"\nsay {protocol.READY.split()[1]}\n" in TEXT
    assert f'say "{protocol.FAILED.split()[1]} $*"' in TEXT


def test_it_powers_off_with_the_word_that_it_was_asked_with() -> None:
    file = protocol.power_off("x").split(">")[1].partition(";")[0]
    assert f"\nread -r word 2>/dev/null <{file}\n" in TEXT
    assert f'\nsay "{protocol.OFF.split()[1]} $word"\n' in TEXT


def test_it_looks_for_the_swap_disk_by_the_serial_number_that_qemu_gives() -> None:
    assert f"= {qemu.SWAP_SERIAL} ]" in TEXT


def test_ssh_takes_no_password_and_no_forwarding() -> None:
    (line,) = [line for line in TEXT.splitlines() if "dropbear -" in line]
    assert {"-s", "-j", "-k"} <= set(line.split())
