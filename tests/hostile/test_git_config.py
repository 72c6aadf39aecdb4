"""A tree whose .git/config names programs: reading it, with and without its changes, runs none of them."""

from pathlib import Path

import pytest

from orchestrator.host.cache import Cache
from orchestrator.series import series
from tests.fakes import trees

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
