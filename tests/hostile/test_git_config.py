"""A tree whose .git/config names programs: reading it, with and without its changes, runs none of them."""

from pathlib import Path

import pytest

from orchestrator.config.sources import PathSource
from orchestrator.errors import PipelineError
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.progress import SILENT
from orchestrator.series import series
from orchestrator.trees import fetch
from tests.fakes import trees
from tests.stage.cli.test_own_tree import Desk

CONFIGS = {
    "a filter": '[filter "evil"]\n\tclean = {run}; cat\n\tsmudge = {run}; cat\n\tprocess = {run}\n',
    "a monitor of the file system": "[core]\n\tfsmonitor = {run}\n",
    "hooks": "[core]\n\thooksPath = {hooks}\n",
    "a pager, an editor and an ssh": "[core]\n\tpager = {run}\n\teditor = {run}\n\tsshCommand = {run}\n",
    "a diff": '[diff]\n\texternal = {run}\n[diff "evil"]\n\tcommand = {run}\n\ttextconv = {run}\n',
    "a signature": "[gpg]\n\tprogram = {run}\n[commit]\n\tgpgSign = true\n[format]\n\tsignature = x\n",
    "a promise of objects": '[extensions]\n\tpartialClone = o\n[remote "o"]\n\turl = ext::{run}\n\tpromisor = true\n'
    "\tuploadpack = {run}\n[protocol]\n\tallow = always\n",
    "a hook of packing": "[uploadpack]\n\tpackObjectsHook = {run}\n",
    "a file of another place": "[include]\n\tpath = {included}\n",
}


@pytest.mark.parametrize("what", CONFIGS)
def test_nothing_that_a_configuration_names_is_run(tmp_path: Path, what: str) -> None:
    where = trees.git_tree(tmp_path / "linux")
    (where / ".gitattributes").write_text("* filter=evil diff=evil\n")
    trees.commit(where, "attributes")
    ran, hooks = tmp_path / "ran", tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-index-change", "pre-commit", "post-applypatch"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (hooks / name).chmod(0o755)
    (tmp_path / "included").write_text(f"[core]\n\tfsmonitor = touch {ran}\n")
    text = CONFIGS[what].format(run=f"touch {ran}", hooks=hooks, included=tmp_path / "included")
    config = where / ".git" / "config"
    config.write_text(config.read_text() + text)
    trees.edit(where, "mm/shmem.c", 5, "int changed;")
    tree = trees.fetched(where, Cache(tmp_path / "cache"), dirty=True)
    assert "changed" in trees.git(tree.repository, "show", f"{tree.commit}:mm/shmem.c")
    assert series.load_range(where, "HEAD~1..HEAD").subjects == ("attributes",)
    assert not ran.exists()


def promise(where: Path, missing: str, ran: Path) -> None:
    """Take an object out of a tree whose configuration names a program that brings what is missing."""
    name = trees.git(where, "rev-parse", missing)
    (where / ".git" / "objects" / name[:2] / name[2:]).unlink()
    text = (
        "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpartialClone = o\n"
        f'[remote "o"]\n\turl = {where}\n\tpromisor = true\n\tuploadpack = "touch {ran}; false"\n'
    )
    with (where / ".git" / "config").open("a") as config:
        config.write(text)


@pytest.mark.parametrize("ref", ["HEAD", None])
def test_no_program_is_run_for_a_tree_that_is_missing(tmp_path: Path, ref: str | None) -> None:
    where = trees.git_tree(tmp_path / "linux")
    promise(where, "HEAD:", tmp_path / "ran")
    source = PathSource(provider="path", path=where, ref=ref)
    with pytest.raises(PipelineError):
        fetch(source, "fake", Cache(tmp_path / "cache"), SILENT, Deadline.after(60))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("options", [["--base", "up"], []])
@pytest.mark.parametrize("missing", ["HEAD~1", "up"])
def test_no_program_is_run_to_find_what_a_tree_goes_on(tmp_path: Path, options: list[str], missing: str) -> None:
    desk = Desk(tmp_path)
    desk.git("branch", "up", "HEAD~2")
    desk.git("branch", "--set-upstream-to", "up")
    promise(desk.tree, missing, tmp_path / "ran")
    _, output = desk.type("run", *options)
    assert not (tmp_path / "ran").exists(), output
