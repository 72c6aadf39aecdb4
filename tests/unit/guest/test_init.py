"""What init must do, as far as its text shows; that it works is for the boot ring."""

from __future__ import annotations

import re
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from orchestrator.guest import protocol, qemu
from orchestrator.parse import splat

TEXT = resources.files("orchestrator.guest.rootfs").joinpath("init.sh").read_text()


def test_its_markers_are_those_the_host_waits_for() -> None:
    assert f'say() {{ echo "{protocol.READY.split()[0]} $*"' in TEXT
    assert f"\nsay {protocol.READY.split()[1]}\n" in TEXT
    assert f'say "{protocol.FAILED.split()[1]} $*"' in TEXT


def test_it_powers_off_with_the_word_that_it_was_asked_with() -> None:
    file = protocol.power_off("x").split(">")[1].partition(";")[0]
    assert f"\nread -r word 2>/dev/null <{file}\n" in TEXT
    assert f'\nsay "{protocol.OFF.split()[1]} $word"\n' in TEXT


def test_what_it_notes_while_the_guest_runs_is_out_of_reach_of_a_full_root_file_system() -> None:
    folder = Path(protocol.power_off("x").split(">")[1].partition(";")[0]).parent
    assert 0 <= TEXT.find(f"\nmust mount -t tmpfs run {folder} ") < TEXT.index(f" {folder}/")


def test_it_looks_for_the_swap_disk_by_the_serial_number_that_qemu_gives() -> None:
    assert f"= {qemu.SWAP_SERIAL} ]" in TEXT


def test_ssh_takes_no_password_and_no_forwarding() -> None:
    (line,) = [line for line in TEXT.splitlines() if "dropbear -" in line]
    assert {"-s", "-j", "-k"} <= set(line.split())


@pytest.mark.parametrize(
    ("masks", "told"),
    [
        ((0, 0), []),
        ((4097, 4097), []),  # a module of its own, a licence: nobody complained
        ((0, 512), ["wpci: tainted W"]),
        ((512, 512), ["wpci: tainted W"]),
        ((512, 512 | 32 | 128 | 16384), ["wpci: tainted W", "wpci: tainted BDL"]),
        (("", ""), []),
    ],
)
def test_it_says_once_what_the_kernel_knows_of_itself(
    masks: tuple[object, ...], told: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "tainted"
    function = TEXT[TEXT.index("told=0\n") : TEXT.index("\nmust() {")].replace("/proc/sys/kernel/tainted", str(file))
    steps = "".join(f"echo {mask} >{file}; taints\n" for mask in masks)
    say = 'say() { echo "wpci: $*"; }\n'
    run = subprocess.run(["sh", "-c", say + function + steps], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == told
    rule = next(rule for rule in splat.load_rules().rules if rule.unexplained)
    assert all(rule.start.search(line) for line in told)


def test_it_asks_before_it_says_that_the_guest_is_up_and_that_it_ends() -> None:
    assert re.findall(r"^(?:taints|say ready|say \"off.*)$", TEXT, re.MULTILINE) == [
        *("taints", "say ready"),
        *("taints", 'say "off $word"'),
    ]
