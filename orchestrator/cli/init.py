"""`wpci init`: a pipeline file for one's own project."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.screen import Screen
from orchestrator.config import locate
from orchestrator.errors import UserError
from orchestrator.host import disk


def init(
    tree: Annotated[
        Path | None, typer.Option("--tree", help="Your kernel tree (default: the one that this folder is in)")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="File to write.")] = Path(locate.NAME),
) -> None:
    """Write a short pipeline.yaml for your own tree, with comments; it adds to the one that came with wpci."""
    if out.exists():
        raise UserError(f"{out} is there already")
    where = locate.kernel_tree(tree or Path())
    if where is None:
        raise UserError(f"{tree or 'this folder'} is in no kernel tree: name yours with --tree")
    template = resources.files(__package__).joinpath("init.yaml").read_text()
    disk.write_atomic(out, template.replace("TREE", json.dumps(str(where))))
    from orchestrator.config import loader

    loader.load(out)
    Screen().line(f"{out}: written; `wpci list` says what a run would do")
