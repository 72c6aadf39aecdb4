"""Where the pipeline file is that a command means, and where its results go: a checkout of this project is not needed.

The wheel brings the pipeline file of this project, with all that it names (``shipped``, filled by pyproject.toml); in a
checkout they lie at its top.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from orchestrator.errors import UserError

NAME = "pipeline.yaml"
_APP = "wpci"
_PACKAGE = Path(__file__).parents[1]
_VERSION = re.compile(r"^VERSION = \d+\nPATCHLEVEL = \d+$", re.M)
"""What the Makefile at the top of a kernel tree begins with, in every version."""


@dataclass(frozen=True)
class Located:
    """A pipeline file, and which of the places it is from. ``is_named``: somebody wrote it for what is done here."""

    path: Path
    place: str
    is_named: bool


def pipeline_file(named: Path | None) -> Located:
    """Return the file that was named, else ``./pipeline.yaml``, else the user's, else the one that came along."""
    if named is not None:
        return Located(named, "--config", True)
    if Path(NAME).exists():
        return Located(Path(NAME), "the current folder", True)
    own = platformdirs.user_config_path(_APP) / NAME
    if own.exists():
        return Located(own, "your configuration folder", False)
    return Located(shipped(), "the one that came with wpci", False)


def certificates() -> Path:
    """Return the folder of the user's certificates for other machines."""
    return platformdirs.user_config_path(_APP) / "certificates"


def shipped() -> Path:
    """Return the pipeline file that came along. Raises UserError where this installation has none."""
    places = (_PACKAGE / "shipped" / NAME, _PACKAGE.parent / NAME)
    if there := next((path for path in places if path.is_file()), None):
        return there
    raise UserError(f"there is no {NAME} here, and none came with this installation: name one with --config")


def kernel_tree(where: Path) -> Path | None:
    """Return the kernel tree that a folder is in, or None where it is in none."""
    here = where.resolve()
    return next((path for path in (here, *here.parents) if _is_kernel_tree(path)), None)


def _is_kernel_tree(path: Path) -> bool:
    try:
        return (path / "Kconfig").is_file() and bool(_VERSION.search((path / "Makefile").read_text(errors="replace")))
    except OSError:
        return False


def results(named: Path | None) -> Path:
    """Return the folder of runs: the one that was named, else ``./results``, but outside of a kernel tree."""
    if named is not None:
        return named
    tree = kernel_tree(Path())
    if tree is None:
        return Path("results")
    key = hashlib.sha256(str(tree.resolve()).encode()).hexdigest()[:8]
    return platformdirs.user_state_path(_APP) / f"{tree.name}-{key}"
