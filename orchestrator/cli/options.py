"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.model import Side

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The pipeline file.", show_default=True)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the values as JSON, for scripts.")]
ModeOption = Annotated[str | None, typer.Option("--mode", "-m", help="Mode of the pipeline file.")]
VariantOption = Annotated[
    list[str], typer.Option("--variant", help="Variant to run instead of the mode's; repeatable.")
]
SuiteOption = Annotated[list[str], typer.Option("--suite", help="Suite to run instead of the mode's; repeatable.")]
TestOption = Annotated[list[str], typer.Option("--test", "-t", help="Glob of tests to run (B01, 'Z*'); repeatable.")]
ResultsOption = Annotated[Path, typer.Option("--results", help="Folder that takes the folder of each run.")]
RunOption = Annotated[str, typer.Option("--run", help="A run: its folder, its name, or 'last'.")]
SideOption = Annotated[Side, typer.Option("--side", help="Which kernel of the pair.")]
JobOption = Annotated[str | None, typer.Option("--job", help="Job of the run, where it has several.")]

PIPELINE = Path("pipeline.yaml")
RESULTS = Path("results")
