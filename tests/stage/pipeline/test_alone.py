"""A red test runs again alone in clones: what the command says of it, and that no verdict changes by it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.stage.pipeline.test_run import GOOD, Bench


class Clones(Bench):
    """A series on whose kernel the fake guest plays, and what is red runs again alone."""

    limits = ""

    def red(self, *plays: str, more: str = "") -> str:
        """Run a series that has the kernel play this; return what the command printed."""
        self.configure("guest:", more)
        self.plays(*plays)
        code, output = self.run()
        assert code == 1, output
        assert self.left_running() == []
        return output

    def plays(self, *plays: str) -> None:
        """Make the series one whose kernel plays this."""
        name, old = "mm/memory.c", "int fault"
        self.series((name, old, f"{_played(*plays)}\n{old}"))

    def always_plays(self, play: str) -> None:
        """Make the tree one whose kernel plays this, without and with a series."""
        path = self.folder / "tree" / "mm" / "memory.c"
        path.write_text(path.read_text() + _played(play).replace("a0", "always"))
        self.git("add", "-fu")
        self.commit("toy: play")

    def type(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            self.argv(*words), cwd=self.folder, env=self.environment, text=True, capture_output=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def patched(self) -> dict[str, Any]:
        job: dict[str, Any] = self.result()["series"][0]["patched"]
        return job

    def statuses(self) -> dict[str, str]:
        return {test["name"]: test["status"] for test in self.patched["suites"][0]["tests"]}

    def text(self, name: str) -> str:
        return (self.folder / "results" / "last" / name).read_text()


def _played(*plays: str) -> str:
    return "".join(f'extern const char a{n}[];\nconst char a{n}[] = "play: {play}";\n' for n, play in enumerate(plays))


@pytest.fixture
def clones(tmp_path: Path) -> Clones:
    return Clones(tmp_path)


def test_what_is_red_by_itself_is_so_three_times(clones: Clones) -> None:
    output = clones.red("not-ok T02")
    (seen,) = clones.patched["alone"]
    assert (seen["test"], seen["tries"], seen["after"]) == ("T02", ["fail"] * 3, [])
    for text in (output, clones.text("summary.md"), clones.text("report.html"), clones.text("junit.xml")):
        assert "red alone in a fresh guest, 3 of 3 times" in text
    assert "pollution" not in clones.text("junit.xml")


def test_what_is_red_only_after_another_names_that_and_stays_red(clones: Clones) -> None:
    output = clones.red("spoils T01 T02")
    (seen,) = clones.patched["alone"]
    assert (seen["tries"], seen["before"], seen["after"], seen["shortest"]) == (["pass"] * 6, 1, ["T01"], True)
    assert "T02: works→broken" in clones.reason()
    for text in (output, clones.text("summary.md"), clones.text("report.html"), clones.text("junit.xml")):
        assert "red only after T01" in text
    assert 'name="pollution: T02"' in clones.text("junit.xml")
    assert any("pollution: T02" in note for note in clones.result()["notes"])


def test_a_test_that_kills_its_guest_does_so_alone_and_what_follows_goes_on_in_a_clone(clones: Clones) -> None:
    clones.red("dies T01 so it goes")
    (seen,) = clones.patched["alone"]
    assert (seen["test"], seen["tries"]) == ("T01", ["crashed"] * 3)
    logs = sorted((Path(clones.patched["directory"])).glob("boot-*/qemu.log"))
    assert ["-incoming" in log.read_text() for log in logs] == [False, True]
    alone = sorted((Path(clones.patched["directory"])).glob("alone/*/boot-1/qemu.log"))
    assert ["-incoming" in log.read_text() for log in alone] == [True] * 3
    assert clones.statuses() == {"T01": "crashed", "T02": "pass"}
    assert len(clones.patched["splats"]) == 1, "the consoles of what ran alone are evidence, and not judged"


def test_it_can_be_switched_off(clones: Clones) -> None:
    clones.red("not-ok T02", more="limits: {alone: null}\n")
    assert clones.patched["alone"] == []
    assert not (Path(clones.patched["directory"]) / "alone").exists()


def test_where_no_guest_can_be_cloned_the_verdict_stays_and_guests_are_booted(clones: Clones) -> None:
    clones.configure("guest:")
    clones.plays("not-ok T02")
    read_only = 'mount -t tmpfs -o ro tmpfs /dev/shm && exec "$@"'
    argv = ["unshare", "-m", "sh", "-c", read_only, "sh", *clones.argv("run")]
    if subprocess.run(
        [*argv[:4], "mount -t tmpfs -o ro tmpfs /dev/shm"], check=False, stderr=subprocess.DEVNULL
    ).returncode:
        pytest.skip("only root can mount a folder that nobody writes to")
    done = subprocess.run(argv, cwd=clones.folder, env=clones.environment, text=True, capture_output=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    (seen,) = clones.patched["alone"]
    assert (seen["test"], seen["tries"]) == ("T02", ["fail"] * 3)
    why = "guests are booted, not cloned: no guest can be cloned: /dev/shm: Permission denied"
    assert why in clones.patched["notes"], clones.patched["notes"]


def test_isolated_tests_have_a_guest_each(clones: Clones) -> None:
    clones.configure("guest:")
    clones.series(*GOOD)
    code, output = clones.type("run", "--isolate")
    assert code == 0, output
    assert clones.left_running() == []
    for job in (clones.result()["series"][0][side] for side in ("base", "patched")):
        logs = [log.read_text() for log in sorted(Path(job["directory"]).glob("boot-*/qemu.log"))]
        assert ["-incoming" in log for log in logs] == [False, True, True], "one lists the tests, two run one each"
        assert [test["name"] for test in job["suites"][0]["tests"]] == ["T01", "T02"]
        assert len(set(job["suites"][0]["outputs"])) == 2


def test_a_kernel_that_panics_in_the_boot_of_what_is_to_be_cloned_is_red(clones: Clones) -> None:
    clones.configure("guest:")
    clones.plays("panics 01000000 now and then")
    code, output = clones.type("run", "--isolate")
    assert code == 1, output
    assert clones.left_running() == []
    panic = "Kernel panic - not syncing: now and then"
    assert clones.reason().startswith(panic)
    assert clones.patched["stages"][-1]["message"] == f"panic before login: {panic}"
    (splat,) = clones.patched["splats"]
    assert splat["title"].startswith(panic) and splat["console"].endswith("/template-1/console.log")
    assert any(note.startswith(f"template-1: not looked at ({panic})") for note in clones.patched["notes"])


def test_isolated_a_test_is_spoilt_by_no_other_and_a_crash_costs_only_itself(clones: Clones) -> None:
    clones.configure("guest:")
    clones.plays("spoils T01 T02", "dies T01 so it goes")
    code, output = clones.type("run", "--isolate")
    assert code == 1, output
    assert clones.statuses() == {"T01": "crashed", "T02": "pass"}


def test_what_is_expected_to_fail_is_no_reason_and_does_not_run_again(clones: Clones) -> None:
    clones.configure("guest:")
    clones.always_plays("not-ok T01")
    (clones.folder / "programs" / "expected.yaml").write_text("columns: [toy]\ntests:\n  T01: {toy: fail}\n")
    file = clones.folder / "pipeline.yaml"
    text = file.read_text().replace("path: tree}", "path: tree}\n    expect: toy")
    file.write_text(text.replace("directory: programs", "directory: programs, expected: programs/expected.yaml"))
    assert clones.type("run", "--mode", "base")[0] == 0
    path = clones.folder / "tree" / "mm" / "memory.c"
    path.write_text(path.read_text() + 'extern const char b[];\nconst char b[] = "play: not-ok T02";\n')
    clones.git("add", "-fu")
    clones.commit("toy: worse")
    code, output = clones.type("run", "--mode", "base")
    assert code == 1, output
    (job,) = clones.result()["jobs"]
    assert job["unexpected"] == [["own", "T02"]] and [seen["test"] for seen in job["alone"]] == ["T02"], output
    assert "toy.small: T02: fail" in output and "toy.small: T01: fail" not in output, output


@pytest.mark.nightly
@pytest.mark.parametrize("by_option", [True, False])
def test_a_suite_in_parts_has_the_verdict_of_the_whole(clones: Clones, by_option: bool) -> None:
    clones.configure("guest:")
    clones.always_plays("lists T01 T02 T03 R01 T04")
    clones.plays("not-ok T04", "dies T02 so it goes")
    assert clones.type("run")[0] == 1
    whole, reason = clones.statuses(), clones.reason().partition(" (console line")[0]
    file = clones.folder / "pipeline.yaml"
    more = ", exclusive: ['R*']" + ("" if by_option else ", shards: 3")
    file.write_text(file.read_text().replace("directory: programs", f"directory: programs{more}"))
    code, output = clones.type("run", *(("--shards", "3") if by_option else ()))
    assert code == 1, output
    assert clones.left_running() == []
    assert clones.statuses() == whole and len(clones.patched["suites"][0]["tests"]) == len(whole)
    assert clones.reason().startswith(reason)
    assert [splat["test"] for splat in clones.patched["splats"]] == ["T02"], "a crash is charged to its test"
    base = Path(clones.result()["series"][0]["base"]["directory"])
    logs = ["-incoming" in log.read_text() for log in sorted(base.glob("boot-*/qemu.log"))]
    assert logs == [False, True, True, True], "one lists and begins, two go on beside it, and the race is by itself"
