"""The user's own programs in a run: every job of it has the same ones, or the run says that it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.config.suites import ProgramConfig, Suite
from orchestrator.errors import InfraError
from orchestrator.model import Programs, Tree
from orchestrator.pipeline import suite_programs
from orchestrator.pipeline.context import Workspace
from tests.fakes import engines

MAKEFILE = "all:\n\tmkdir -p $(O)\n\tcp *.sh $(O)/\n"
CHANGED = r"suite mine: {} was changed while the run was going on"


def build(suite: Suite, workspace: Workspace) -> Programs:
    none = Path("/none")
    return suite_programs.build(engines.job(), Tree(none, "", "", "", ""), "mine", suite, workspace)


def own(folder: Path) -> Suite:
    (folder / "mine").mkdir()
    (folder / "mine" / "Makefile").write_text(MAKEFILE)
    (folder / "mine" / "t.sh").write_text("echo T01\n")
    return Suite(directory=folder / "mine")


def test_a_suite_that_is_edited_in_the_middle_of_a_run_is_not_run_in_two_versions(tmp_path: Path) -> None:
    suite, workspace = own(tmp_path), engines.workspace(tmp_path)
    first = build(suite, workspace)
    (tmp_path / "mine" / ".t.sh.swp").write_text("an editor looks at it")
    (tmp_path / "mine" / "expected.yaml").write_text("tests: {}\n")
    assert build(suite, workspace) == first
    (tmp_path / "mine" / "t.sh").write_text("echo T02\n")
    with pytest.raises(InfraError, match=CHANGED.format(tmp_path / "mine" / "t.sh")):
        build(suite, workspace)
    assert build(suite, engines.workspace(tmp_path)).sha256 != first.sha256, "the next run takes it as it is"


def test_a_test_that_is_added_in_the_middle_of_a_run_is_not_new_with_the_series(tmp_path: Path) -> None:
    suite, workspace = own(tmp_path), engines.workspace(tmp_path)
    build(suite, workspace)
    (tmp_path / "mine" / "u.sh").write_text("echo T02\n")
    with pytest.raises(InfraError, match=CHANGED.format(tmp_path / "mine")):
        build(suite, workspace)


def test_a_reproducer_that_is_edited_between_base_and_patched_is_no_comparison(tmp_path: Path) -> None:
    suite = Suite(kind="program", programs=(ProgramConfig(name="repro", file=tmp_path / "repro.sh"),))
    workspace = engines.workspace(tmp_path)
    (tmp_path / "repro.sh").write_text("exit 0\n")
    build(suite, workspace)
    (tmp_path / "repro.sh").write_text("exit 1\n")
    with pytest.raises(InfraError, match=CHANGED.format(tmp_path / "repro.sh")):
        build(suite, workspace)
