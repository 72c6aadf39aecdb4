"""Commands that go back to an earlier run: boot its kernels again, open a shell in them, remove what it left."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli import output
from orchestrator.cli.options import (
    PIPELINE,
    RESULTS,
    ConfigOption,
    JobOption,
    ResultsOption,
    RunOption,
    SideOption,
    TestOption,
)
from orchestrator.cli.screen import Screen
from orchestrator.errors import UserError
from orchestrator.host.cache import Cache
from orchestrator.model import Side


def boot(
    run: RunOption = "last",
    side: SideOption = Side.PATCHED,
    job: JobOption = None,
    gdb: Annotated[
        bool, typer.Option("--gdb", help="Wait for gdb on a loopback port before the first instruction.")
    ] = False,
    test: TestOption = [],  # noqa: B006
    results: ResultsOption = RESULTS,
) -> None:
    """Boot a kernel of an earlier run, show its console, and run the named tests in it."""
    from orchestrator.pipeline import reboot

    found = reboot.find(results, run, side, job)
    raise typer.Exit(reboot.boot(found, tuple(test), output.Plain(), Screen().text, gdb=gdb))


def shell_(
    run: RunOption = "last", side: SideOption = Side.PATCHED, job: JobOption = None, results: ResultsOption = RESULTS
) -> None:
    """Boot a kernel of an earlier run and open an SSH session in it."""
    from orchestrator.pipeline import reboot

    raise typer.Exit(reboot.shell(reboot.find(results, run, side, job), output.Plain()))


def clean(
    everything: Annotated[bool, typer.Option("--all", help="The whole cache, with sources and ccache.")] = False,
    old: Annotated[
        bool, typer.Option("--old", help="Only the kernels that limits: kernels: of the pipeline file lets go.")
    ] = False,
    config: ConfigOption = PIPELINE,
) -> None:
    """Remove work trees and built products from the cache; sources and ccache stay unless --all."""
    from orchestrator.config import loader
    from orchestrator.host import prune

    if everything and old:
        raise UserError("--all and --old: one of them")
    if old:
        Screen().line(prune.kernels(Cache.default(), loader.load(config).limits.kernels) or "no kernel is too old")
    else:
        Screen().line(Cache.default().clean(everything=everything))
