"""Where a kernel tree comes from, as pipeline.yaml says it: a model for each provider."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from orchestrator.config.scalars import Address, Name
from orchestrator.config.strict import Strict


class DebianSource(Strict):
    """A ``linux-source-*`` package, fetched with apt and private state from the host's own mirror."""

    provider: Literal["debian"]
    package: Name
    suite: Name
    version: str | None = None


class TarballSource(Strict):
    """A source tarball: a URL or a file, and its sha256."""

    provider: Literal["tarball"]
    url: Address
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class GitSource(Strict):
    """A git repository, by URL or path, and what to check out."""

    provider: Literal["git"]
    url: Address
    ref: str


class PathSource(Strict):
    """A directory with a kernel tree. It is read, never written; ``dirty`` takes uncommitted changes along.

    ``ref`` takes that commit instead of what is checked out.
    """

    provider: Literal["path"]
    path: Path
    ref: str | None = None
    dirty: bool = False


class BundleSource(Strict):
    """One commit without its history, as a git pack in a file: how a tree comes to another machine.

    ``label`` and ``notes`` are what the machine that packed it said of it.
    """

    provider: Literal["bundle"]
    path: Path
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    label: str = ""
    notes: tuple[str, ...] = ()


Source = Annotated[
    DebianSource | TarballSource | GitSource | PathSource | BundleSource, Field(discriminator="provider")
]
