"""The path through KVM, on a real KVM: QEMU emulates a processor with AMD's SVM and nested paging, and in a guest on it
the whole command chooses its accelerator, boots its own guest, and tests that.

It needs no other machine than the rest does, but minutes: an emulated processor runs python, QEMU and, under KVM, the
kernel of the guest inside. ``make test-kvm`` runs it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.arch import DEFAULT
from orchestrator.cli.screen import Screen
from orchestrator.cli.terminal import Terminal
from orchestrator.config import loader, overrides
from orchestrator.config.schema import Machine
from orchestrator.guest import cage, machine
from orchestrator.host import process
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.model import Accel, AccelFact, JobResult, Products, RunResult, Stage, Status, Verdict
from orchestrator.pipeline import job, opening, plan
from orchestrator.progress import Progress
from orchestrator.report import result_json

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATIENCE = 7200.0
pytestmark = pytest.mark.timeout(2 * PATIENCE)  # of it a kernel is built, too
LIMITS = machine.Limits(boot=900.0, shutdown=120.0, silence=1800.0)
HOST_ROOT = (
    *("-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"),
    *("-device", "virtio-9p-pci,fsdev=host,mount_tag=host"),
)
"""The root folder of the host, for the guest to read: python, QEMU, this checkout and the cache are in it."""


@dataclass(frozen=True)
class Seen:
    """What the command showed: exit code, output, results, and the log of the QEMU inside."""

    exit_code: int | None
    printed: str
    result: RunResult
    qemu: str

    @property
    def job(self) -> JobResult:
        (only,) = self.result.jobs
        return only

    @property
    def chosen(self) -> AccelFact:
        assert self.job.products.accel
        return self.job.products.accel

    @property
    def recorded(self) -> tuple[str, str]:
        """Return accelerator and CPU model of the identity under which results are compared."""
        assert self.job.identity
        return self.job.identity.accel, self.job.identity.cpu

    @property
    def tests(self) -> dict[str, Status]:
        return {test.name: test.status for suite in self.job.suites for test in suite.tests}

    @property
    def clocks(self) -> list[str]:
        """The clocks that the kernel inside found, as cheap.sh tells them."""
        (line,) = (d for suite in self.job.suites for test in suite.tests for d in test.diagnostics if "clocks:" in d)
        return line.partition("clocks:")[2].split()


@pytest.fixture(scope="module")
def progress() -> Iterator[Progress]:
    with Terminal(Screen(stderr=True)) as terminal:
        yield terminal


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory, progress: Progress) -> Products:
    """Build the one kernel of both roles, and the test program: inside, all of it comes from the cache."""
    pipeline = loader.load(HERE / "pipeline.yaml")
    results = tmp_path_factory.mktemp("products")
    with opening.open_run(pipeline, None, overrides.Options(), results=results, progress=progress) as (workspace, mode):
        (planned,) = plan.expand(workspace.pipeline, mode).jobs
        made = job.run(planned, workspace, until=Stage.ROOTFS)
    assert {stage.verdict for stage in made.stages} == {Verdict.PASS}, made.reason
    return made.products


@pytest.fixture(scope="module")
def with_svm(products: Products, tmp_path_factory: pytest.TempPathFactory, progress: Progress) -> Seen:
    return run_inside("max,+svm,+npt", products, tmp_path_factory.mktemp("with"), progress)


@pytest.fixture(scope="module")
def without_svm(products: Products, tmp_path_factory: pytest.TempPathFactory, progress: Progress) -> Seen:
    return run_inside("max,-svm", products, tmp_path_factory.mktemp("without"), progress)


def run_inside(cpu: str, products: Products, directory: Path, progress: Progress) -> Seen:
    """Boot the outer guest with this CPU model, run the command in it, and take what it left."""
    with machine.boot(outer(cpu, products, directory / "outer"), progress) as guest:
        guest.put(HERE / "inner.sh", "/root/inner.sh", deadline=Deadline.after(PATIENCE))
        command = process.pasteable(["sh", "/root/inner.sh", ROOT, Cache.default().root, os.environ["PATH"]])
        ended = guest.run(command, deadline=Deadline.after(PATIENCE), output=directory / "printed")
        progress.note(f"-cpu {cpu}: {ended.why or ended.exit_code} after {ended.seconds:.0f} s\n{ended.stdout}")
        result = result_json.load_run(taken(guest, "/results/last/result.json", directory))
        assert len(result.jobs) == 1 and result.jobs[0].identity, "the guest inside did not come up"
        return Seen(
            ended.exit_code,
            ended.stdout,
            result,
            taken(guest, f"{result.jobs[0].directory}/boot-1/qemu.log", directory),
        )


def outer(cpu: str, products: Products, directory: Path) -> machine.BootRequest:
    assert products.kernel and products.rootfs
    return machine.BootRequest(
        kernel=products.kernel,
        rootfs=products.rootfs,
        machine=Machine(cpus=2, memory=3 * 2**30),
        accel=AccelFact(Accel.TCG, cpu, "", "the outer guest"),
        directory=directory,
        limits=LIMITS,
        is_fatal=lambda line: "Kernel panic - not syncing" in line,
        extra=HOST_ROOT,
        caged=False,  # it reads all of the host
    )


def taken(guest: machine.Guest, path: str, directory: Path) -> str:
    """Return the text of a file that the command wrote, by the path that it had for the command."""
    here = directory / Path(path).name
    guest.get(f"/host{path}", here, deadline=Deadline.after(PATIENCE))
    return here.read_text(errors="replace")


@pytest.mark.parametrize("seen", ["with_svm", "without_svm"])
def test_the_guest_inside_comes_up_and_passes_its_test(seen: str, request: pytest.FixtureRequest) -> None:
    told: Seen = request.getfixturevalue(seen)
    assert told.tests == {"cheap_runs": Status.PASS}
    assert (told.result.verdict, told.exit_code) == (Verdict.PASS, 0)


@pytest.mark.parametrize("seen", ["with_svm", "without_svm"])
def test_the_guest_inside_is_in_a_cage_as_it_is_here(seen: str, request: pytest.FixtureRequest) -> None:
    told: Seen = request.getfixturevalue(seen)
    assert told.job.identity and told.job.identity.sandbox == cage.name(DEFAULT.qemu)
    assert not told.job.identity.sandbox.startswith("none"), told.printed


def test_auto_chooses_kvm_where_a_guest_comes_up_under_it(with_svm: Seen) -> None:
    assert with_svm.chosen.accel is Accel.KVM
    assert with_svm.chosen.reason.startswith("a guest came up under it")
    assert with_svm.recorded == ("kvm", with_svm.chosen.cpu)
    assert f"-accel kvm -cpu {with_svm.chosen.cpu} " in with_svm.qemu


def test_the_kernel_inside_knows_whether_kvm_runs_it(with_svm: Seen, without_svm: Seen) -> None:
    assert "kvm-clock" in with_svm.clocks
    assert without_svm.clocks and "kvm-clock" not in without_svm.clocks


def test_auto_falls_back_to_emulation_and_says_so(without_svm: Seen) -> None:
    assert without_svm.chosen.accel is Accel.TCG
    assert without_svm.chosen.reason == "there is no /dev/kvm"
    assert without_svm.recorded == ("tcg", "max")
    assert "accel: tcg, for KVM is no use here: there is no /dev/kvm" in without_svm.printed


def test_a_result_under_kvm_is_told_from_one_under_emulation(with_svm: Seen, without_svm: Seen) -> None:
    kvm, tcg = with_svm.job.identity, without_svm.job.identity
    assert kvm and tcg and kvm != tcg
    assert (kvm.kernel, kvm.rootfs, kvm.qemu) == (tcg.kernel, tcg.rootfs, tcg.qemu)
