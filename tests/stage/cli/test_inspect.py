"""`wpci inspect` where there is nothing to be opened: in words, and with nothing left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stage.pipeline.test_alone import Clones

pytest.importorskip("drgn")


@pytest.fixture
def clones(tmp_path: Path) -> Clones:
    made = Clones(tmp_path)
    made.configure("guest:")
    made.plays("dies T01 so it goes")
    code, output = made.type("run")
    assert code == 1, output
    return made


def test_a_guest_of_which_there_is_no_dump_is_named(clones: Clones) -> None:
    code, output = clones.type("inspect", "last", "--side", "patched", "--guest", "boot-7", "--eval", "1")
    assert code == 2, output
    assert "there is no dump of boot-7; guests that died or hung: none" in output
    job = clones.patched["name"]
    code, output = clones.type("inspect", "--job", job, "--results", "results", "-e", "report()")
    assert code == 2 and "there is no dump of a guest" in output, output


def test_a_live_guest_that_drgn_cannot_read_is_gone_afterwards(clones: Clones) -> None:
    code, output = clones.type("inspect", "--live", "-e", "1")
    assert code != 0, output
    assert clones.left_running() == []
