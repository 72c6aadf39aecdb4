"""A red test runs again alone in clones: what the command says of it, and that no verdict changes by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.stage.pipeline.test_run import Bench


class Clones(Bench):
    """A series on whose kernel the fake guest plays."""

    def red(self, *plays: str, more: str = "") -> str:
        """Run a series that has the kernel play this; return what the command printed."""
        self.configure("guest:", more)
        name, old = "mm/memory.c", "int fault"
        text = "".join(
            f'extern const char a{n}[];\nconst char a{n}[] = "play: {play}";\n' for n, play in enumerate(plays)
        )
        self.series((name, old, f"{text}\n{old}"))
        code, output = self.run()
        assert code == 1, output
        assert self.left_running() == []
        assert not list(Path("/dev/shm").glob(f"wpci-template-{self.folder.name}*"))
        return output

    @property
    def patched(self) -> dict[str, Any]:
        job: dict[str, Any] = self.result()["series"][0]["patched"]
        return job

    def text(self, name: str) -> str:
        return (self.folder / "results" / "last" / name).read_text()


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
    assert (seen["tries"], seen["before"], seen["after"], seen["shortest"]) == (["pass"] * 3, 1, ["T01"], True)
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
    statuses = {test["name"]: test["status"] for test in clones.patched["suites"][0]["tests"]}
    assert statuses == {"T01": "crashed", "T02": "pass"}
    assert len(clones.patched["splats"]) == 1, "the consoles of what ran alone are evidence, and not judged"


def test_it_can_be_switched_off(clones: Clones) -> None:
    clones.red("not-ok T02", more="limits: {alone: null}\n")
    assert clones.patched["alone"] == []
    assert not (Path(clones.patched["directory"]) / "alone").exists()
