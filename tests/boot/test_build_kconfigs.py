"""Every variant of pipeline.yaml, put through the Kconfig of real trees: no symbol dropped, none unknown.

No kernel is built. ``WPCI_KCONFIG_TREES`` names other trees of pipeline.yaml than those of its default mode, as in
``WPCI_KCONFIG_TREES=linux-5.10,linux-6.12 pytest tests/boot/test_build_kconfigs.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.config import loader
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.kbuild import kconfig, kernel
from orchestrator.kbuild.place import out_folder
from orchestrator.kbuild.request import BuildRequest
from orchestrator.progress import SILENT
from orchestrator.trees import checkout, fetch

pytestmark = pytest.mark.nightly  # a variant that loses a symbol does not build, which the run that needs it says
PIPELINE = loader.load(Path(__file__).parents[2] / "pipeline.yaml")


def trees() -> list[str]:
    mode = PIPELINE.modes[PIPELINE.default_mode]
    default = {*mode.trees, *(PIPELINE.series[name].tree for name in mode.series)}
    named = os.environ.get("WPCI_KCONFIG_TREES")
    return named.split(",") if named else sorted(default)


@pytest.fixture(scope="module")
def sources() -> dict[str, Path]:
    """Check each tree out into a work tree of these tests."""
    cache, checked_out = Cache.default(), {}
    for name in trees():
        tree = fetch(PIPELINE.trees[name].source, name, cache, SILENT, Deadline.after(1800))
        checked_out[name] = cache.path("work", name, "kconfigs")
        checkout.checkout(tree, checked_out[name], SILENT)
    return checked_out


@pytest.mark.parametrize("variant", sorted(PIPELINE.variants))
@pytest.mark.parametrize("tree", trees())
def test_a_tree_keeps_every_symbol_of_a_variant(sources: dict[str, Path], tree: str, variant: str) -> None:
    source, config = sources[tree], PIPELINE.variants[variant]
    request = BuildRequest(
        source=source,
        content="",
        out=out_folder(source, "kconfigs"),
        base=config.base,
        fragments=config.fragments,
        arch=config.arch,
    )
    text = kernel.check(request, Cache.default(), SILENT, Deadline.after(600))
    assert kconfig.read(text)["MMU"] == "y"
