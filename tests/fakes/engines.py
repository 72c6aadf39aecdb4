"""A job and a workspace for work that needs neither kernel nor guest."""

from __future__ import annotations

import datetime
from pathlib import Path

from orchestrator.config.schema import Machine, Pipeline, TreeConfig, Variant
from orchestrator.config.sources import PathSource
from orchestrator.host.cache import Cache
from orchestrator.model import Side
from orchestrator.parse import splat
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.values import Job
from orchestrator.progress import SILENT, Progress


def job(name: str = "toy.small", cpus: int = 1, memory: int = 64 * 2**20, source: Path = Path("tree")) -> Job:
    tree = PathSource(provider="path", path=source)
    variant = Variant(machine=Machine(cpus=cpus, memory=memory))
    return Job(name, Side.BASE, "toy", tree, None, None, "small", variant, (), ("*",), None, "base")


def workspace(folder: Path, progress: Progress = SILENT) -> Workspace:
    source = PathSource(provider="path", path=Path("tree"))
    pipeline = Pipeline(trees={"toy": TreeConfig(source=source)}, variants={}, suites={}, modes={})
    directory = folder / "results" / "20260101-000000-abcd"
    directory.mkdir(parents=True, exist_ok=True)
    today = datetime.date(2026, 1, 1)
    return Workspace(pipeline, Cache(folder / "cache"), directory, progress, splat.load_rules(None), today)
