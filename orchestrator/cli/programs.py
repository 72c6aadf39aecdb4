"""The options that bring programs of the user's own, and what is run with them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import refuse

if TYPE_CHECKING:
    from orchestrator.config.overrides import OwnPrograms
    from orchestrator.config.schema import Pipeline
    from orchestrator.pipeline import values

ProgramOption = Annotated[
    list[Path],
    typer.Option("--program", help="Your own test: a C file, executable, script, folder with a Makefile; repeatable."),
]
ProgramArgsOption = Annotated[str, typer.Option("--program-args", help="Arguments of each --program.")]
TimeoutOption = Annotated[
    str, typer.Option("--timeout", help="Time of each --program (90s, 5m); five times that without KVM.")
]
ExpectSplatOption = Annotated[
    str | None, typer.Option("--expect-splat", help="Glob of the title that each --program is meant to bring.")
]
EndlessOption = Annotated[
    bool, typer.Option("--endless", help="Each --program runs until its time is up, and passes if nothing happens.")
]


def given(
    context: typer.Context, files: list[Path], args: str, timeout: str, expect_splat: str | None, endless: bool
) -> OwnPrograms:
    """Return what the options say of programs of the user's own. Raises UserError."""
    from orchestrator.config import scalars
    from orchestrator.config.overrides import OwnPrograms

    if not files:
        refuse(context, ("program_args", "timeout", "expect_splat", "endless"), "only with --program")
    return OwnPrograms(tuple(files), args, scalars.seconds(timeout, "--timeout"), expect_splat, endless)


def choice(pipeline: Pipeline, mode: str, own: OwnPrograms, named: values.Choice) -> values.Choice:
    """Return what runs of what was named, with the programs of the user's own. Raises UserError for unknown names."""
    from orchestrator.config import loader
    from orchestrator.pipeline import plan

    loader.check_name(mode, pipeline.modes, "mode")
    tests = own.tests(named.tests, named.suites, pipeline.modes[mode].tests)
    whole = dataclasses.replace(named, suites=own.suites(named.suites), tests=tests)
    plan.check(pipeline, mode, whole)
    return whole
