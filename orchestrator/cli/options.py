"""Options that several commands share, and those that have no effect where they stand."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import complete
from orchestrator.errors import UserError
from orchestrator.model import Side

if TYPE_CHECKING:
    from orchestrator.pipeline import values

_CONFIG = "The pipeline file (default: ./pipeline.yaml, else yours, else the one that came along)"
_RESULTS = "Folder that takes the folder of each run (default: ./results; in a kernel tree, your state folder)"

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help=_CONFIG)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the values as JSON, for scripts.")]
ModeOption = Annotated[
    str | None, typer.Option("--mode", "-m", help="Mode of the pipeline file.", autocompletion=complete.modes)
]
VariantOption = Annotated[
    list[str],
    typer.Option(
        "--variant", help="Variant to run instead of the mode's; repeatable.", autocompletion=complete.variants
    ),
]
SuiteOption = Annotated[
    list[str],
    typer.Option("--suite", help="Suite to run instead of the mode's; repeatable.", autocompletion=complete.suites),
]
TestOption = Annotated[
    list[str],
    typer.Option("--test", "-t", help="Glob of tests to run (B01, 'Z*'); repeatable.", autocompletion=complete.tests),
]
TreeOption = Annotated[
    str | None,
    typer.Option("--tree", help="A tree of the pipeline file, or your own directory.", autocompletion=complete.trees),
]
ResultsOption = Annotated[Path | None, typer.Option("--results", help=_RESULTS)]
SideOption = Annotated[Side, typer.Option("--side", help="Which kernel of the pair.")]
RunArgument = Annotated[
    str, typer.Argument(metavar="[RUN]", help="A run: its folder, its name, or 'last'.", autocompletion=complete.runs)
]
JobOption = Annotated[str | None, typer.Option("--job", help="Job of the run, where it has several.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Say all that is done, and how it goes on.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing while it runs, and then the verdict.")]
StopOption = Annotated[bool, typer.Option("--stop-at-first", help="End at the first red.")]
AheadOption = Annotated[
    bool | None,
    typer.Option("--ahead/--no-ahead", help="Build while guests run (default: where cores are left for that)"),
]
EngineOption = Annotated[
    str | None,
    typer.Option("--engine", help="Where jobs run: local, workers:N, or tls://HOST:PORT; as pipeline.yaml says."),
]


EveryTestOption = Annotated[bool, typer.Option("--all", help="List unchanged tests, too.")]
IsolateOption = Annotated[
    bool, typer.Option("--isolate", help="Run each test in a guest of its own, cloned from a booted one.")
]
ThreeWayOption = Annotated[bool, typer.Option("--3way", help="Let git am fall back to a 3-way merge.")]


@dataclass(frozen=True)
class Selection:
    """What runs of a mode: its variants, suites and tests, or those that are named instead."""

    variant: VariantOption = field(default_factory=list)
    suite: SuiteOption = field(default_factory=list)
    test: TestOption = field(default_factory=list)

    def choice(self) -> values.Choice:
        """Return them as what a person chose; nothing is known of the names yet."""
        from orchestrator.pipeline import values

        return values.Choice(tuple(self.variant), tuple(self.suite), tuple(self.test))


def refuse(context: typer.Context, names: Collection[str], why: str) -> None:
    """Raise UserError where one of these parameters stands on the command line, for it would have no effect there."""
    typed = [param for param in context.command.params if param.name in names and _is_typed(context, param.name)]
    if typed:
        raise UserError(f"{', '.join(param.opts[0] for param in typed)}: {why}")


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
