"""What is kept in the cache is made anew where the way it is made has changed: each key has a number for that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from orchestrator.coverage import measure
from orchestrator.host.cache import Cache
from orchestrator.kbuild import make, own_programs, own_sources, programs, request
from orchestrator.kbuild.request import BuildRequest
from orchestrator.model import Tree
from orchestrator.mutation import campaign
from orchestrator.pipeline import discover
from orchestrator.series import apply
from orchestrator.trees import archive

TREE = Tree(Path("git"), "c" * 40, "b" * 40, "t" * 40, "toy")
KEYS: dict[str, tuple[ModuleType, Callable[[], object]]] = {
    "kernel": (request, lambda: request.kernel_key(BuildRequest(Path("source"), "content", Path("out")))),
    "headers": (programs, lambda: own_programs.Headers("key").name),
    "series": (apply, lambda: apply._key(TREE, (), False)),
    "source": (archive, lambda: archive.place(Cache(Path("/none")), "tarball-1")),
    "coverage": (measure, lambda: campaign.coverage_key("kernel", "rootfs")),
    "tests": (discover, lambda: discover._list_key("programs")),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_recipe_that_is_counted_up_gives_another_key(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "toolchain", lambda: "gcc")
    module, key = KEYS[kind]
    before = key()
    assert key() == before
    monkeypatch.setattr(module, "RECIPE", "another")
    assert key() != before


COMPILER = make.Compiler("gcc", "gcc", {})
MADE = {
    (request, "1"): (
        make.kernel_argv(Path("s"), Path("o"), "x86_64", 1, COMPILER),
        "make --no-print-directory --output-sync=target -j1 -Cs O=o ARCH=x86_64 LOCALVERSION=",
    ),
    (programs, "1"): (own_sources.compiler(Path("i")), "gcc -static -pthread -O2 -isystem i"),
}


@pytest.mark.parametrize(("module", "recipe"), MADE)
def test_what_makes_a_product_has_not_changed_without_its_recipe(module: ModuleType, recipe: str) -> None:
    argv, known = MADE[module, recipe]
    assert (" ".join(argv), module.RECIPE) == (known, recipe), "count RECIPE up, and write here what it is now"
