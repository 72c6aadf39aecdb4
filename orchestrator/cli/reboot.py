"""Commands that build, boot or enter a kernel: that of the tree one works in, or of an earlier run; and clean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import complete, output
from orchestrator.cli.options import (
    ConfigOption,
    JobOption,
    ResultsOption,
    SideOption,
    SuiteOption,
    TestOption,
    refuse,
)
from orchestrator.cli.screen import Screen
from orchestrator.config import locate
from orchestrator.errors import UserError
from orchestrator.host.cache import Cache
from orchestrator.model import Side

RunOption = Annotated[
    str | None,
    typer.Option(
        "--run",
        help="A run: its folder, its name, or 'last' (default: in a kernel tree the tree as it stands, else last)",
        autocompletion=complete.runs,
    ),
]
StandingOption = Annotated[
    Path | None, typer.Option("--tree", help="A kernel tree as it stands (default: the one that this folder is in)")
]
VariantOption = Annotated[
    str | None,
    typer.Option("--variant", help="Variant, where it is a tree that is built.", autocompletion=complete.variants),
]
DirtyOption = Annotated[bool, typer.Option("--dirty", help="Take uncommitted changes of the tree along.")]


_EARLIER = "only with --run: an earlier run has what that needs"
_AS_IT_STANDS = "only of a tree as it stands"


def build(
    tree: StandingOption = None,
    variant: VariantOption = None,
    dirty: DirtyOption = False,
    config: ConfigOption = None,
    results: ResultsOption = None,
) -> None:
    """Build the kernel of the tree you work in, and say where it is."""
    from orchestrator.pipeline import standing

    where = _tree(tree)
    if where is None:
        raise UserError("this folder is in no kernel tree: name yours with --tree")
    wanted = standing.Standing(where, variant, dirty=dirty)
    made = standing.build(wanted, output.pipeline(config), locate.results(results), output.Plain())
    for what, value in (("release", made.release), ("image", made.image), ("vmlinux", made.vmlinux)):
        Screen().line(f"{what:9} {value}")
    Screen().line(f"{'config':9} {made.config}")


def boot(
    context: typer.Context,
    run: RunOption = None,
    tree: StandingOption = None,
    variant: VariantOption = None,
    dirty: DirtyOption = False,
    side: SideOption = Side.PATCHED,
    job: JobOption = None,
    gdb: Annotated[
        bool, typer.Option("--gdb", help="Wait for gdb on a loopback port before the first instruction.")
    ] = False,
    test: TestOption = [],  # noqa: B006
    config: ConfigOption = None,
    results: ResultsOption = None,
) -> None:
    """Boot the kernel of the tree you work in, or of an earlier run, and show its console.

    Of an earlier run the named tests run in it.
    """
    from orchestrator.pipeline import reboot, standing

    if where := _standing(run, tree):
        refuse(context, ("side", "job", "gdb", "test"), _EARLIER)
        wanted = standing.Standing(where, variant, dirty=dirty)
        Screen().text(standing.boot(wanted, output.pipeline(config), locate.results(results), output.Plain()))
        return
    refuse(context, ("variant", "suite", "dirty", "config"), _AS_IT_STANDS)
    earlier = reboot.find(locate.results(results), run or "last", side, job)
    raise typer.Exit(reboot.boot(earlier, tuple(test), output.Plain(), Screen().text, gdb=gdb))


def shell_(
    context: typer.Context,
    command: Annotated[
        list[str], typer.Argument(metavar="[-- COMMAND...]", help="What to run there, in place of a shell.")
    ] = [],  # noqa: B006
    run: RunOption = None,
    tree: StandingOption = None,
    variant: VariantOption = None,
    suite: SuiteOption = [],  # noqa: B006
    dirty: DirtyOption = False,
    side: SideOption = Side.PATCHED,
    job: JobOption = None,
    config: ConfigOption = None,
    results: ResultsOption = None,
) -> None:
    """Boot the kernel of the tree you work in, or of an earlier run, and open a shell in it, or run a command.

    The exit code is that of the command.
    """
    from orchestrator.pipeline import reboot, standing

    if where := _standing(run, tree):
        refuse(context, ("side", "job"), _EARLIER)
        wanted = standing.Standing(where, variant, tuple(suite), dirty)
        pipeline = output.pipeline(config)
        raise typer.Exit(standing.shell(wanted, command, pipeline, locate.results(results), output.Plain()))
    refuse(context, ("variant", "suite", "dirty", "config"), _AS_IT_STANDS)
    earlier = reboot.find(locate.results(results), run or "last", side, job)
    raise typer.Exit(reboot.shell(earlier, command, output.Plain()))


def _tree(named: Path | None) -> Path | None:
    """Return the kernel tree that is meant. Raises UserError for a folder that is none."""
    tree = locate.kernel_tree(named or Path())
    if named and tree is None:
        raise UserError(f"--tree {named}: that is no kernel tree")
    return tree


def _standing(run: str | None, tree: Path | None) -> Path | None:
    """Return the tree to take as it stands, or None where an earlier run is meant."""
    if run and tree:
        raise UserError("--run and --tree: one of them")
    return None if run else _tree(tree)


def clean(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="The whole cache, with sources and ccache.")] = False,
    old: Annotated[
        bool,
        typer.Option(
            "--old",
            help="Only what limits: kernels: of the pipeline file lets go: kernels, and inputs of workers.",
        ),
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Remove work trees and built products from the cache; sources and ccache stay unless --all."""
    from orchestrator.host import prune

    if everything and old:
        raise UserError("--all and --old: one of them")
    if old:
        limits = output.pipeline(config, quiet=True).limits
        Screen().line(prune.kernels(Cache.default(), limits.kernels) or "no kernel is too old")
    else:
        refuse(context, ("config",), "only with --old")
        Screen().line(Cache.default().clean(everything=everything))
