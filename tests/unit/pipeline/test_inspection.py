"""What `wpci inspect` needs of an earlier job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.host import process
from orchestrator.model import Accel, AccelFact, JobResult, Kernel, Products, Rootfs, Side
from orchestrator.pipeline import inspection
from orchestrator.postmortem import look
from tests.fakes import results


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobResult:
    """Return a job with a dump and what drgn reads of its kernel; what the guest booted is gone."""
    gone = tmp_path / "gone"
    for name in ("vmlinux", "config", "boot-1/postmortem-1.kdump"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    kernel = Kernel("key", gone, tmp_path / "vmlinux", tmp_path / "config", None, "5.10", "", "", "gcc", (), gone)
    monkeypatch.setattr(look, "obstacle", lambda: "")
    products = Products(kernel=kernel, rootfs=Rootfs(gone, "", gone), accel=AccelFact(Accel.TCG, "max", "", ""))
    return results.job(Side.PATCHED, (), directory=tmp_path, products=products)


def test_a_dump_is_opened_where_what_the_guest_booted_is_gone(job: JobResult, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Sequence[str | Path]] = []

    def interact(argv: Sequence[str | Path]) -> int:
        begun.append(argv)
        return 7

    monkeypatch.setattr(process, "interact", interact)
    assert inspection.dump(job, None, "1") == 7
    folder = job.directory
    opened = f"core:{folder}/boot-1/postmortem-1.kdump"
    assert [list(argv[-4:]) for argv in begun] == [[opened, f"{folder}/vmlinux", f"{folder}/config", "1"]]


@pytest.mark.parametrize("name", ["vmlinux", "config"])
def test_a_kernel_without_what_drgn_reads_is_refused(job: JobResult, name: str) -> None:
    (job.directory / name).unlink()
    with pytest.raises(UserError, match=f"/{name} is gone; run it again"):
        inspection.dump(job, None, "1")
