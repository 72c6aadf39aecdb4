"""The options that bring programs of the user's own, and what is run with them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.groups import names
from orchestrator.cli.options import refuse

if TYPE_CHECKING:
    from orchestrator.config.overrides import OwnPrograms
    from orchestrator.config.schema import Pipeline
    from orchestrator.pipeline import values


@dataclass(frozen=True)
class ProgramOptions:
    """The programs, and what goes for each of them."""

    program: Annotated[
        list[Path],
        typer.Option(
            "--program", help="Your own test: a C file, executable, script, folder with a Makefile; repeatable."
        ),
    ] = field(default_factory=list)
    program_args: Annotated[str, typer.Option("--program-args", help="Arguments of each --program.")] = ""
    timeout: Annotated[
        str, typer.Option("--timeout", help="Time of each --program (90s, 5m); five times that without KVM.")
    ] = "60s"
    expect_splat: Annotated[
        str | None, typer.Option("--expect-splat", help="Glob of the title that each --program is meant to bring.")
    ] = None
    endless: Annotated[
        bool, typer.Option("--endless", help="Each --program runs until its time is up, and passes if nothing happens.")
    ] = False

    def own(self, context: typer.Context) -> OwnPrograms:
        """Return what they say of programs of the user's own. Raises UserError."""
        from orchestrator.config import scalars
        from orchestrator.config.overrides import OwnPrograms

        if not self.program:
            refuse(context, names(ProgramOptions), "only with --program")
        timeout = scalars.seconds(self.timeout, "--timeout")
        return OwnPrograms(tuple(self.program), self.program_args, timeout, self.expect_splat, self.endless)


def checked_choice(pipeline: Pipeline, mode: str, own: OwnPrograms, named: values.Choice) -> values.Choice:
    """Return what runs of what was named, with the programs of the user's own. Raises UserError for unknown names."""
    from orchestrator.config import loader
    from orchestrator.pipeline import plan

    loader.check_name(mode, pipeline.modes, "mode")
    tests = own.tests(named.tests, named.suites, pipeline.modes[mode].tests)
    whole = dataclasses.replace(named, suites=own.suites(named.suites), tests=tests)
    plan.check(pipeline, mode, whole)
    return whole
