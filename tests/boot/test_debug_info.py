"""A kernel with debug information is the kernel without: what is loaded, byte by byte, on a real tree."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from orchestrator.config import loader
from orchestrator.config.fragments import DEBUG_INFO
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.kbuild import kernel
from orchestrator.kbuild.place import out_folder
from orchestrator.kbuild.request import BuildRequest
from orchestrator.model import Kernel, Tree
from orchestrator.progress import SILENT
from orchestrator.trees import checkout, fetch

PIPELINE = loader.load(Path(__file__).parents[2] / "pipeline.yaml")
TREE, VARIANT = "linux-5.10", "smoke"


def built(tree: Tree, fragments: tuple[Path, ...], out: str) -> Kernel:
    """Return a kernel of the tree, from the cache where it is there."""
    cache, source = Cache.default(), Cache.default().path("work", TREE, "kconfigs")
    request = BuildRequest(source=source, content=tree.content, out=out_folder(source, out), fragments=fragments)
    if kernel.lookup(request, cache) is None:
        checkout.checkout(tree, source, SILENT)
    return kernel.build(request, cache, SILENT, Deadline.after(3000))


def sections(vmlinux: Path, scratch: Path) -> dict[str, bytes]:
    """Return the bytes of each section that is loaded, but for those of the build id."""
    listed = subprocess.run(["readelf", "-SW", str(vmlinux)], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"\] (\S+)\s+(\w+)\s+\w+ \w+ \w+ \w+\s+(\w+)", listed)
    names = [name for name, kind, flags in rows if "A" in flags and kind != "NOBITS"]
    read = {}
    for name in names:
        subprocess.run(["objcopy", "-O", "binary", "-j", name, str(vmlinux), str(scratch)], check=True)
        read[name] = scratch.read_bytes()
    return {
        name: re.sub(rb"(?s)(\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0).{20}", rb"\1", text) for name, text in read.items()
    }


def symbols(vmlinux: Path) -> str:
    return subprocess.run(["nm", "-n", str(vmlinux)], capture_output=True, text=True, check=True).stdout


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_debug_information_changes_no_byte_that_is_loaded(tmp_path: Path) -> None:
    tree = fetch(PIPELINE.trees[TREE].source, TREE, Cache.default(), SILENT, Deadline.after(1800))
    fragments = PIPELINE.variants[VARIANT].fragments
    described = built(tree, fragments, "described")
    plain = built(tree, tuple(path for path in fragments if path != DEBUG_INFO), "plain")
    assert (plain.vmlinux, described.vmlinux.name) == (plain.image, "vmlinux.debug")
    theirs, ours = sections(plain.image, tmp_path / "a"), sections(described.image, tmp_path / "b")
    assert len(ours) > 15
    assert [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)] == []
    assert symbols(plain.image) == symbols(described.image) == symbols(described.vmlinux)
    assert described.image.stat().st_size - plain.image.stat().st_size < 4096
