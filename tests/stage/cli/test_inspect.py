"""`wpci inspect` where there is nothing to be opened: in words, and with nothing left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.postmortem import Postmortem
from orchestrator.report import result_json
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


@pytest.mark.nightly
def test_a_guest_of_which_there_is_no_dump_is_named(clones: Clones) -> None:
    code, output = clones.type("inspect", "last", "--side", "patched", "--guest", "boot-7", "--eval", "1")
    assert code == 2, output
    assert "there is no dump of boot-7; guests that died or hung: none" in output
    job = clones.patched["name"]
    code, output = clones.type("inspect", "--job", job, "--results", "results", "-e", "report()")
    assert code == 2 and "there is no dump of a guest" in output, output


@pytest.mark.nightly
def test_a_live_guest_that_drgn_cannot_read_is_gone_afterwards(clones: Clones) -> None:
    code, output = clones.type("inspect", "--live", "-e", "1")
    assert code != 0, output
    assert clones.left_running() == []


@pytest.mark.nightly
def test_a_dump_that_the_result_does_not_name_yet_is_opened(clones: Clones) -> None:
    left = Path(clones.patched["directory"]) / "boot-2" / "postmortem-1.kdump"
    left.write_text("no dump of a kernel")
    for more in ([], ["--guest", "boot-2"]):
        code, output = clones.type("inspect", "last", "--eval", "1", *more)
        assert code == 3 and "there is no dump" not in output and "not an ELF core file" in output, output
        assert "Traceback" not in output
    code, output = clones.type("inspect", "last", "--guest", "boot-1", "--eval", "1")
    assert code == 2 and "there is no dump of boot-1; guests that died or hung: boot-2" in output, output


def test_a_dump_that_is_gone_is_said_to_be_so(clones: Clones) -> None:
    folder = Path(clones.patched["directory"])
    dump = folder / "boot-10" / "postmortem-2.kdump"
    seen = Postmortem("boot-10", "panic", None, (), dump.with_suffix(".txt"), dump.with_suffix(".json"), dump)
    job = result_json.read_job(folder / "result.json")
    (folder / "result.json").write_text(result_json.dump(replace(job, postmortems=(seen,))))
    (folder / "boot-2" / "postmortem-1.kdump").write_text("of an earlier guest")
    code, output = clones.type("inspect", "last", "--eval", "1")
    assert code == 2 and "boot-10/postmortem-2.kdump is gone" in output.replace("\n", ""), output
    assert "has what was seen in it" not in output, "it is gone as well"
    dump.parent.mkdir()
    dump.with_suffix(".txt").write_text("what was seen")
    _, output = clones.type("inspect", "last", "--eval", "1")
    assert "boot-10/postmortem-2.txt has what was seen in it" in output.replace("\n", ""), output
