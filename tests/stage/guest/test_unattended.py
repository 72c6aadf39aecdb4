"""The script that runs tests in a guest that nobody enters, run by busybox with a folder in the place of the root."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.guest.rootfs import rootfs
from orchestrator.pipeline import suite_programs

SCRIPT = Path(rootfs.__file__).with_name("unattended.sh")
LISTS = """#!/bin/sh
[ "$1" = -l ] && { echo G01_one; echo G02_two.memfd; echo G02_two.tmpfs; exit; }
echo "called with $*"
case "$*" in *G01*) exit 1 ;; esac
"""
ENDED_RED = "wpci: tests ended: 1"


class Root:
    """A root folder with two suites: one whose program lists its tests, one that says how its programs are called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("bin", "run", "dev", "tests/own", "tests/mine", "commands/mine"):
            (folder / name).mkdir(parents=True)
        (folder / "run/dropbear.pid").write_text("1\n")
        for name, text in (
            ("init", f"#!/bin/sh\nuntil grep -qs ended {folder}/dev/console; do sleep 1; done\n"),
            ("bin/poweroff", "#!/bin/sh\n"),
            ("tests/own/lists", LISTS),
        ):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        (folder / "tests/own/notes").write_text("no program\n")
        (folder / "commands/mine/.setup").write_text("echo set up\n")

    def program(self, name: str, text: str) -> None:
        (self.folder / "commands/mine" / name).write_text(text)

    def say(self, named: str) -> list[str]:
        text = SCRIPT.read_text().replace("PATH=/bin", f"PATH={self.folder}/bin:/bin")
        for path in ("/run/dropbear.pid", "/tests/", "/commands/", "/dev/console", "/init"):
            text = text.replace(path, f"{self.folder}{path}")
        text = text.replace("poweroff", f"{self.folder}/bin/poweroff")  # busybox would call its own, on this host
        busybox = shutil.which("busybox")
        assert busybox
        (self.folder / "dev/console").unlink(missing_ok=True)  # init would take the last run's for this one's
        shell = subprocess.Popen([busybox, "sh", "-c", text], env={"wpci_test": named})
        assert shell.wait(60) == 0
        return (self.folder / "dev/console").read_text().splitlines()


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


@pytest.mark.parametrize(
    ("named", "called"),
    [
        ("G02", "called with -t 3600 -r G02_two.memfd -r G02_two.tmpfs"),
        ("G02_two", "called with -t 3600 -r G02_two.memfd -r G02_two.tmpfs"),
        ("G02_two.tmpfs", "called with -t 3600 -r G02_two.tmpfs"),
        ("*memfd,nothing", "called with -t 3600 -r G02_two.memfd"),
    ],
)
def test_tests_are_named_as_in_a_run(root: Root, named: str, called: str) -> None:
    said = root.say(named)
    assert called in said and said[-1] == "wpci: tests ended: 0", said


def test_a_test_that_fails_and_one_that_is_not_there(root: Root) -> None:
    assert root.say("G01")[-1] == "wpci: tests ended: 1"
    assert root.say("G0")[-1] == "wpci: tests ended: 2", "G0 is no name, nor the start of one up to _"


@pytest.mark.parametrize(("code", "ended"), [(0, 0), (4, 0), (77, 0), (1, 1), (139, 1)])
def test_a_program_is_called_as_its_file_says_and_judged_by_its_exit_code(root: Root, code: int, ended: int) -> None:
    root.program("repro", f"echo it runs; exit {code}\n")
    root.program("other", "echo not wanted\n")
    said = root.say("repro.case")
    assert said[-5:-1] == ["set up", "# repro", "it runs", f"# repro: exit code {code}"], said
    assert said[-1] == f"wpci: tests ended: {ended}" and "not wanted" not in said, said


def test_every_test_runs_where_all_are_named(root: Root) -> None:
    root.program("repro", "echo it runs\n")
    said = root.say("*")
    assert "it runs" in said and "called with -t 3600 -r G01_one -r G02_two.memfd -r G02_two.tmpfs" in said, said


def test_a_suite_that_is_not_set_up_is_red_where_something_of_it_runs(root: Root) -> None:
    (root.folder / "commands/mine/.setup").write_text(suite_programs.setup_script(["(exit 32)", "echo goes on"]))
    root.program("repro", "echo it runs\n")
    said = root.say("repro")
    assert "goes on" in said
    assert said[-5:] == ["# setup of mine: exit code 32", "# repro", "it runs", "# repro: exit code 0", ENDED_RED], said
    assert root.say("G02")[-1] == "wpci: tests ended: 0"


def test_a_program_that_dies_while_it_lists_its_tests_is_red(root: Root) -> None:
    program = root.folder / "tests/own/dies"
    program.write_text("#!/bin/sh\nkill -SEGV $$\n")
    program.chmod(0o755)
    said = root.say("*")
    assert "# dies -l: exit code 139" in said and said[-1] == ENDED_RED, said
