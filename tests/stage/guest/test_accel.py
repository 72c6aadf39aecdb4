"""The choice of the accelerator: what rules KVM out, what proves it, and what is remembered."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.config.schema import Limits, Machine
from orchestrator.errors import InfraError, KernelError, PipelineError
from orchestrator.guest import accel, exit
from orchestrator.host.cache import Cache
from orchestrator.model import Accel, AccelFact
from orchestrator.progress import SILENT


@dataclass
class Prober:
    """Brings up a guest with the CPU models it is told to, and remembers what it was asked."""

    works: tuple[str, ...] = ()
    fault: Callable[[str], PipelineError] = InfraError
    asked: list[str] = field(default_factory=list)

    def __call__(self, fact: AccelFact) -> None:
        assert fact.accel is Accel.KVM
        self.asked.append(fact.cpu)
        if fact.cpu not in self.works:
            raise self.fault(f"{fact.cpu} does not come up")


@pytest.fixture
def host(tmp_path: Path) -> accel.Host:
    fake = tmp_path / "qemu"
    fake.write_text("#!/bin/sh\necho 'QEMU emulator version 7.2.0 (fake)'\n")
    fake.chmod(0o755)
    (tmp_path / "kvm").touch()
    (tmp_path / "kvm").chmod(0o666)
    (tmp_path / "boot_id").write_text("first boot\n")
    (tmp_path / "modules" / "kvm_amd").mkdir(parents=True)
    return accel.Host(tmp_path / "kvm", tmp_path / "boot_id", tmp_path / "modules", str(fake))


def choose(choice: accel.Choice, prober: Prober, cache: Cache, host: accel.Host) -> AccelFact:
    return accel.choose(choice, Machine(), prober, cache, SILENT, host)


def test_tcg_is_taken_at_its_word(cache: Cache, host: accel.Host) -> None:
    prober = Prober()
    assert choose("tcg", prober, cache, host) == AccelFact(Accel.TCG, "max", "7.2.0 (fake)", "asked for")
    assert prober.asked == []


def test_kvm_is_chosen_where_a_guest_comes_up(cache: Cache, host: accel.Host) -> None:
    fact = choose("auto", Prober(("host",)), cache, host)
    assert (fact.accel, fact.cpu) == (Accel.KVM, "host")


def test_a_lesser_cpu_model_is_used_and_recorded(cache: Cache, host: accel.Host) -> None:
    prober = Prober(("qemu64",))
    fact = choose("kvm", prober, cache, host)
    assert prober.asked == ["host", "qemu64"]
    assert (fact.accel, fact.cpu) == (Accel.KVM, "qemu64")
    assert "host does not come up" in fact.reason


def test_auto_falls_back_and_says_what_was_tried(cache: Cache, host: accel.Host) -> None:
    fact = choose("auto", Prober(), cache, host)
    assert fact.accel is Accel.TCG
    assert "-cpu host" in fact.reason and "-cpu qemu64" in fact.reason


def test_kvm_that_was_asked_for_does_not_fall_back(cache: Cache, host: accel.Host) -> None:
    with pytest.raises(InfraError, match="-cpu host: host does not come up; -cpu qemu64"):
        choose("kvm", Prober(), cache, host)


@pytest.mark.parametrize("works", [(), ("host",)])
def test_both_outcomes_are_remembered(cache: Cache, host: accel.Host, works: tuple[str, ...]) -> None:
    first, again = choose("auto", Prober(works), cache, host), Prober(works)
    assert choose("auto", again, cache, host) == first
    assert again.asked == []


def test_a_new_boot_or_module_of_the_host_is_a_new_question(cache: Cache, host: accel.Host) -> None:
    choose("auto", Prober(), cache, host)
    host.boot_id.write_text("second boot\n")
    second = Prober()
    choose("auto", second, cache, host)
    assert second.asked
    (host.modules / "kvm_pvm").mkdir()
    third = Prober()
    choose("auto", third, cache, host)
    assert third.asked


def test_a_panic_under_kvm_may_be_the_kernels_and_is_not_held_against_the_host(cache: Cache, host: accel.Host) -> None:
    choose("auto", Prober(fault=KernelError), cache, host)
    again = Prober(("host",))
    assert choose("auto", again, cache, host).accel is Accel.KVM
    assert again.asked == ["host"]


def test_a_guest_that_hangs_under_kvm_is_held_against_the_host(cache: Cache, host: accel.Host) -> None:
    choose("auto", Prober(fault=exit.Hung), cache, host)
    again = Prober()
    choose("auto", again, cache, host)
    assert again.asked == []


def test_no_device_is_told_without_a_boot(cache: Cache, host: accel.Host) -> None:
    host.device.unlink()
    prober = Prober(("host",))
    assert "there is no" in choose("auto", prober, cache, host).reason
    with pytest.raises(InfraError, match="there is no"):
        choose("kvm", prober, cache, host)
    assert prober.asked == []


def test_a_damaged_record_is_asked_anew(cache: Cache, host: accel.Host) -> None:
    choose("auto", Prober(), cache, host)
    (record,) = (cache.root / "accel").iterdir()
    record.write_text("{")
    again = Prober()
    choose("auto", again, cache, host)
    assert again.asked


def test_a_qemu_that_does_not_run_is_an_infra_error(cache: Cache, host: accel.Host, tmp_path: Path) -> None:
    (tmp_path / "qemu").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(InfraError, match="does not run"):
        choose("tcg", Prober(), cache, host)


def test_the_time_of_a_probe_is_its_own_and_silence_takes_a_third_of_it() -> None:
    limits = accel.probe_limits(Limits(probe=90.0, boot=1000.0, shutdown=5.0, silence=1000.0))
    assert (limits.boot, limits.shutdown, limits.silence) == (90.0, 5.0, 30.0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's QEMU runs as somebody else")
@pytest.mark.parametrize(("mode", "group", "there"), [(0o600, 36, False), (0o660, 0, False), (0o660, 36, True)])
def test_kvm_is_for_the_user_as_whom_roots_qemu_runs(
    cache: Cache, host: accel.Host, mode: int, group: int, there: bool
) -> None:
    os.chown(host.device, 0, group)
    host.device.chmod(mode)
    fact = choose("auto", Prober(("host",)), cache, host)
    assert (fact.accel is Accel.KVM) is there
    assert there or "is not for user 65322" in fact.reason
