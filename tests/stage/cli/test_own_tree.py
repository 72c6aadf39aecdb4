"""Commands typed in one's own kernel tree, with no pipeline file there: on a fake tree, with guests that come up."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import trees
from tests.stage.cli.test_commands import GUEST, Table
from tests.stage.pipeline.test_run import GOOD, PIPELINE

BASE = "HEAD~2"


class Desk(Table):
    """A table whose pipeline file is the user's; commands are typed in the tree."""

    def __post_init__(self) -> None:
        super().__post_init__()
        (self.folder / "pipeline.yaml").unlink()
        text = PIPELINE.format(fake=GUEST)
        for name in ("tree", "series", "small.config", "programs"):
            text = text.replace(f"path: {name}", f"path: {self.folder / name}")
        text = text.replace("[small.config]", f"[{self.folder / 'small.config'}]")
        text = text.replace("directory: programs", f"directory: {self.folder / 'programs'}")
        own = self.folder / "config" / "wpci" / "pipeline.yaml"
        own.parent.mkdir(parents=True)
        own.write_text(text)
        self.commits(*GOOD)

    @property
    def environment(self) -> dict[str, str]:
        own = {"XDG_CONFIG_HOME": str(self.folder / "config"), "XDG_STATE_HOME": str(self.folder / "state")}
        return {**super().environment, **own}

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def results(self) -> Path:
        (found,) = (self.folder / "state" / "wpci").iterdir()
        return found

    def commits(self, *edits: tuple[str, str, str]) -> None:
        (self.folder / "series").rmdir()
        self.series(*edits)
        self.git("am", "-q", *map(str, sorted((self.folder / "series").glob("*.patch"))))

    def edit(self, text: str) -> None:
        path = self.tree / "mm" / "swap.c"
        path.write_text(path.read_text() + text)

    def call(self, argv: list[str], given: str = "") -> tuple[int, str]:
        done = subprocess.run(
            argv, cwd=self.tree, env=self.environment, text=True, check=False, input=given,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, done.stdout

    def result(self) -> dict[str, Any]:
        link = self.folder / "results"
        if not link.is_symlink():
            link.symlink_to(self.results)
        return super().result()

    def patches(self) -> list[str]:
        """The subjects that the patched kernel of the last run has."""
        patched = [job for job in self.result()["jobs"] if job["side"] == "patched"]
        return patched[0]["products"]["tree"]["patches"] if patched else []

    def untouched(self) -> bool:
        return self.git("status", "--porcelain") == ""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_commits_on_top_of_the_upstream_are_the_series(desk: Desk) -> None:
    desk.git("branch", "there", BASE)
    desk.git("branch", "--set-upstream-to", "there")
    code, output = desk.type("run")
    assert code == 0 and desk.patches() == ["toy: edit 1", "toy: edit 2"], output
    assert output.startswith("pipeline  ") and "your configuration folder" in output.splitlines()[0]
    assert ": 2 commits on there " in output and "tree.main.small" in output
    assert desk.untouched() and f"results   {desk.results}" in output


def test_the_list_says_that_a_run_here_is_of_the_commits_on_top(desk: Desk) -> None:
    code, output = desk.type("list")
    assert code == 0 and "`wpci run` here tests its commits on top of their upstream" in output, output
    assert "\nmode " in output


def test_another_base_is_named_and_below_the_top_of_the_tree(desk: Desk) -> None:
    code, output = desk.type("run", "--base", "HEAD~1")
    assert code == 0 and desk.patches() == ["toy: edit 2"] and ": 1 commit on HEAD~1 " in output, output


def test_a_base_is_one_of_the_tree_one_stands_in_whatever_the_pipeline_file(desk: Desk) -> None:
    own = desk.folder / "config" / "wpci" / "pipeline.yaml"
    code, output = desk.type("run", "--config", str(own), "--base", "HEAD~1")
    assert code == 0 and desk.patches() == ["toy: edit 2"], output


def test_a_base_of_a_folder_that_is_no_git_tree_is_refused(desk: Desk) -> None:
    plain = desk.folder / "plain"
    shutil.copytree(desk.tree, plain, ignore=shutil.ignore_patterns(".git"))
    (plain / ".git").mkdir()
    code, output = desk.type("run", "--tree", str(plain), "--base", "v6.1")
    assert code == 2 and "is no git tree: it has no v6.1" in " ".join(output.split()), output


@pytest.mark.parametrize("base", [None, "HEAD"])
def test_a_tree_with_nothing_on_top_is_run_alone(desk: Desk, base: str | None) -> None:
    code, output = desk.type("run", *(["--base", base] if base else []))
    assert code == 0 and desk.patches() == [] and len(desk.result()["jobs"]) == 1, output
    assert "alone: " in output


def test_what_is_not_committed_is_the_last_patch_where_that_is_wanted(desk: Desk) -> None:
    desk.edit("/* more */\n")
    code, output = desk.type("run", "--base", BASE)
    assert code == 2 and "--dirty" in output, output
    code, output = desk.type("run", "--base", BASE, "--dirty")
    assert code == 0 and len(desk.patches()) == 3 and desk.patches()[2].startswith("uncommitted changes"), output
    assert not desk.untouched()


def test_a_series_is_an_argument(desk: Desk) -> None:
    code, output = desk.type("run", "HEAD~1..")
    assert code == 0 and desk.patches() == ["toy: edit 2"], output
    mails = sorted((desk.folder / "series").glob("*.patch"))
    (desk.folder / "mbox").write_bytes(b"".join(path.read_bytes() for path in mails))
    desk.git("reset", "-q", "--hard", BASE)
    for named in ("../series/", "../mbox"):
        code, output = desk.type("run", named)
        assert code == 0 and desk.patches() == ["toy: edit 1", "toy: edit 2"], output
    code, output = desk.type("run", "../mbox", "--series", "../series")
    assert code == 2 and "one of them" in output, output


def test_the_tree_is_built_booted_and_entered_as_it_stands(desk: Desk) -> None:
    code, output = desk.type("build")
    image = next(line.split()[1] for line in output.splitlines() if line.startswith("image"))
    stages = [line for line in output.splitlines() if ": source" in line]
    assert len(stages) == 1 and ": source: " in stages[0], "each stage in a line, and not its beginning as well"
    assert code == 0 and Path(image).is_file(), output
    code, output = desk.type("build", "--variant", "small", "--dirty", "--results", "../elsewhere")
    assert code == 0 and image in output, output
    code, output = desk.type("boot", "--dirty")
    assert code == 0 and "Linux version 5.10.0-fake" in output, output
    other = desk.folder / "other.yaml"
    own = (desk.folder / "config" / "wpci" / "pipeline.yaml").read_text()
    other.write_text(own.replace("  small:\n", "  tiny:\n").replace("variants: [small]", "variants: [tiny]"))
    code, output = desk.type("build", "--config", "../other.yaml", "--variant", "tiny")
    assert code == 0 and image in output, output
    code, output = desk.type("boot", "--config", "../other.yaml", "--variant", "tiny", "--tree", ".")
    assert code == 0 and "tiny" in output and "Linux version 5.10.0-fake" in output, output
    code, output = desk.type("shell", "--", "sh", "-c", 'echo "one  two"; exit 7')
    assert code == 7 and "one  two" in output, output
    code, output = desk.type("shell", "--tree", ".", "--suite", "own", "--", "sh", "-c", "exit 3")
    assert code == 3, output
    assert list(desk.results.iterdir()) == [], "what ended well leaves nothing"
    assert desk.left_running() == []


def test_a_partial_clone_is_named_as_the_user_knows_it(desk: Desk) -> None:
    desk.git("config", "uploadpack.allowFilter", "true")
    trees.git(
        desk.folder, "clone", "--quiet", "--filter=blob:none", f"file://{desk.tree}", desk.folder / "clone", lazy=True
    )
    shutil.rmtree(desk.tree)
    (desk.folder / "clone").rename(desk.tree)
    code, output = desk.type("run", "--base", "HEAD~1")
    words = " ".join(output.split())
    assert code == 2 and f"wpci: {desk.tree}: commit " in words and "checked out once" in words, output
    assert str(desk.folder / "cache") not in words


class Nameless(Desk):
    """A desk of a user that the password file does not have, as with `docker run -u 1000`."""

    @property
    def environment(self) -> dict[str, str]:
        (self.folder / "sitecustomize.py").write_text(
            "import pwd\ndef lacks(uid):\n    raise KeyError('getpwuid(): uid not found')\npwd.getpwuid = lacks\n"
        )
        path = super().environment["PYTHONPATH"]
        unnamed = dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), "")
        return {**super().environment, **unnamed, "PYTHONPATH": f"{self.folder}:{path}"}


def test_a_user_without_a_name_has_guests_as_well(tmp_path: Path) -> None:
    code, output = Nameless(tmp_path).type("run", "--test", "T01")
    assert code == 0, output


def test_a_tree_that_does_not_build_says_so_and_keeps_the_log(desk: Desk) -> None:
    desk.edit("int broken = no_such_thing;\n")
    code, output = desk.type("shell", "--dirty", "--variant", "small", "--", "true")
    assert code == 1 and "no_such_thing" in output, output
    log = next(line.split()[-1] for line in output.splitlines() if line.startswith("wpci: log:"))
    assert Path(log).is_file()


def test_a_folder_that_is_no_kernel_tree_is_refused(desk: Desk) -> None:
    code, output = desk.type("build", "--tree", "..")
    assert code == 2 and "no kernel tree" in output, output


def test_a_pipeline_file_of_ones_own_adds_to_the_one_that_came_along(desk: Desk) -> None:
    code, output = desk.type("init", "--tree", ".", "--out", "../mine.yaml")
    assert code == 0 and (desk.folder / "mine.yaml").is_file(), output
    code, output = desk.type("list", "--config", "../mine.yaml")
    assert code == 0 and "mode mine: 1 jobs" in output and "mine.smoke" in output, output
    code, output = desk.type("init", "--out", "../mine.yaml")
    assert code == 2 and "there already" in output, output


def test_the_version_is_said(desk: Desk) -> None:
    code, output = desk.type("--version")
    assert code == 0 and output.startswith("wpci "), output


def completed(desk: Desk, shell: str, line: str, act: str = "complete") -> str:
    """Return what the installed command answers a shell that completes this line."""
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    environment = {**desk.environment, **asked, "_WPCI_COMPLETE": f"{act}_{shell}"}
    command = [Path(sys.executable).with_name("wpci")]
    done = subprocess.run(command, cwd=desk.tree, env=environment, text=True, check=False, capture_output=True)
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_options_and_names(desk: Desk, shell: str) -> None:
    kept = Path(desk.environment["WPCI_CACHE"]) / "tests" / "0"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("T01_one\nU01_two\n")
    for line, wanted, unwanted in (
        ("wpci vali", "validate", "nightly"),
        ("wpci run --vari", "--variant", "--suite"),
        ("wpci run --variant sm", "small", "own"),
        ("wpci run --suite o", "own", "small"),
        ("wpci run --test T", "T01_one", "U01_two"),
        ("wpci diff la", "last", "T01_one"),
    ):
        output = completed(desk, shell, line)
        assert wanted in output and unwanted not in output, (line, output)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_calls_the_command(desk: Desk, shell: str) -> None:
    output = completed(desk, shell, "", act="source")
    assert f"complete_{shell}" in output and "wpci" in output, output
