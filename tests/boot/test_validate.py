"""`wpci validate` on the real tree: three patches of one C file each, on the kernel that the main job has built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from orchestrator.model import Side, Verdict
from orchestrator.report import result_json
from orchestrator.trees import repository
from tests.boot.conftest import ROOT, MainRun

EDITS = {
    "mm/mincore.c": "SYSCALL_DEFINE3(mincore,",
    "mm/msync.c": "SYSCALL_DEFINE3(msync,",
    "mm/madvise.c": "SYSCALL_DEFINE3(madvise,",
}
"""File → a line before which a comment is put: the kernel stays what it is."""


def series(tree: Path, commit: str, folder: Path) -> Path:
    """Write three patches as mails, made with git from the files of a commit."""
    folder.mkdir()
    for number, (name, line) in enumerate(EDITS.items(), 1):
        before = repository.git(tree, "show", f"{commit}:{name}") + "\n"
        assert line in before
        comment = "/* Nothing changes here but the line numbers. */\n"
        (folder / "a").write_text(before)
        (folder / "b").write_text(before.replace(line, comment + line, 1))
        argv = ["git", "diff", "--no-index", "--no-prefix", "--full-index", "a", "b"]
        diff = subprocess.run(argv, cwd=folder, check=False, capture_output=True, text=True).stdout
        hunks = diff[diff.index("@@") :]
        index = next(text for text in diff.splitlines() if text.startswith("index "))
        mail = (
            f"From: Dev <dev@example.org>\nDate: Mon, 1 Jan 2024 00:00:0{number} +0000\n"
            f"Subject: [PATCH {number}/3] {name.removesuffix('.c')}: say that nothing changes\n\n"
            "A comment moves the lines below it, and changes nothing else.\n\n---\n"
            f"diff --git a/{name} b/{name}\n{index}\n--- a/{name}\n+++ b/{name}\n{hunks}-- \n2.39.5\n"
        )
        (folder / f"{number:04}.patch").write_text(mail)
    return folder


def test_three_small_patches_pass_every_check(main_run: MainRun, tmp_path: Path) -> None:
    tree = main_run.job(Side.BASE).products.tree
    assert tree
    patches = series(tree.repository, tree.commit, tmp_path / "three")
    argv = [sys.executable, "-m", "orchestrator.cli", "validate", str(patches), "--results", str(tmp_path / "results")]
    options = ["--variant", "smoke", "--skip", "builds", "--test", "G01"]
    done = subprocess.run([*argv, *options], cwd=ROOT, check=False)
    result = result_json.load_run((tmp_path / "results" / "last" / "result.json").read_text())
    assert done.returncode == 0, [c for c in result.checks if c.verdict is not Verdict.PASS]
    names = [check.name for check in result.checks if check.verdict is Verdict.PASS]
    assert names == ["applies", *["checkpatch"] * 3, *["compile"] * 3, "warnings", "sparse"]
    assert any("found by the index lines" in note for note in result.notes)
    assert [s.verdict for s in result.series] == [Verdict.PASS] and result.series[0].transitions
