"""`wpci bundle`: what another person needs to see the same, with QEMU alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import JobOption, ResultsOption, RunArgument, SideOption
from orchestrator.cli.screen import Screen
from orchestrator.config import locate
from orchestrator.model import Side


def bundle(
    run: RunArgument = "last",
    side: SideOption = Side.PATCHED,
    job: JobOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to: a name that ends with .tar.gz or .tar, else a folder.")
    ] = None,
    results: ResultsOption = None,
) -> None:
    """Pack what another person needs to see the same with QEMU alone: kernel, initramfs, tests, and a script."""
    from orchestrator.model import rundir
    from orchestrator.pipeline import bundle as bundles
    from orchestrator.pipeline import reboot
    from orchestrator.report import result_json

    where = locate.results(results)
    of_run = result_json.read_run(rundir.find(where, run) / rundir.RESULT)
    packed = reboot.find(where, run, side, job)
    to = out or Path(f"wpci-{of_run.run}-{packed.name}.tar.gz")
    size = bundles.pack(of_run, packed, to)
    Screen().line(f"{to}   {size / 1e6:.1f} MB")
