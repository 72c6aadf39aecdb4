"""wpci kcidb as a user runs it, after a run over a fake kernel tree."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from kcidb_io.schema import V5_3

from tests.stage.pipeline.test_run import GOOD, Bench
from tests.stage.validate.test_run import ONE, Desk


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.configure("guest:")
    made.series(*GOOD)
    return made


def reported(bench: Bench, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        bench.argv("kcidb", *options), cwd=bench.folder, env=bench.environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout or done.stderr


def test_a_run_is_reported_with_the_patches_that_it_tested(bench: Bench) -> None:
    code, output = bench.run()
    assert code == 0, output
    code, output = reported(bench)
    found: dict[str, Any] = json.loads(output)
    V5_3.validate_exactly(found)
    assert code == 0 and [build["status"] for build in found["builds"]] == ["PASS", "PASS"]
    statuses = {(test["build_id"].partition(".toy.")[2], test["path"]): test["status"] for test in found["tests"]}
    paths = ("boot", "console", "own.T01", "own.T02")
    assert statuses == {(job, path): "PASS" for job in ("small", "three.small") for path in paths}
    kept = bench.folder / "results" / "last" / "jobs" / "toy.three.small" / "patches"
    as_the_schema_says = "sha256sum *.patch | cut -c-64 | sha256sum | cut -c-64"
    wanted = subprocess.check_output(as_the_schema_says, shell=True, cwd=kept, text=True).strip()
    for one, other in zip(sorted(kept.iterdir()), sorted((bench.folder / "series").iterdir()), strict=True):
        assert one.read_bytes() == other.read_bytes().partition(b"\n")[2]  # all but the separator of an mbox
    base, patched = found["checkouts"]
    assert (base["patchset_hash"], patched["patchset_hash"]) == ("", wanted)
    assert base["git_commit_hash"] == patched["git_commit_hash"] == bench.git("rev-parse", "HEAD")


def test_it_says_where_things_are_only_if_they_are_published_and_writes_a_file(bench: Bench) -> None:
    code, output = bench.run("--at", "1")
    assert code == 0, output
    with (bench.folder / "pipeline.yaml").open("a") as pipeline:
        pipeline.write("kcidb: {origin: my_lab, artifacts: 'https://ci.example.org/results'}\n")
    code, output = reported(bench, "last", "--out", "report.json")
    assert (code, output) == (0, "")
    found = json.loads((bench.folder / "report.json").read_text())
    (patch,) = found["checkouts"][1]["patchset_files"]
    inside = patch["url"].removeprefix("https://ci.example.org/results/")
    assert (bench.folder / "results" / inside).is_file() and found["checkouts"][1]["origin"] == "my_lab"


def test_a_run_that_is_not_there_is_one_line(bench: Bench) -> None:
    assert reported(bench, "nothing") == (2, "wpci: nothing: no such run in results\n")


def test_a_validation_is_reported_with_what_it_built_and_never_greener_than_it_is(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.series(ONE, ("mm/swap.c", "page - 1", "pgae - 1"))
    code, output = desk.validate("--skip", "checkpatch")
    assert code == 1 and desk.result()["jobs"] == [], output
    code, output = reported(desk)
    builds = {build["id"].partition(".")[2]: build for build in json.loads(output)["builds"]}
    statuses = {name: build["status"] for name, build in builds.items()}
    tip = {"toy.three.small.0002": "FAIL", "toy.three.small": "FAIL"}
    assert code == 0 and statuses == {"toy.small": "PASS", "toy.three.small.0001": "PASS", **tip}
    assert "pgae" in builds["toy.three.small"]["log_excerpt"]
    checkouts = {checkout["id"]: checkout.get("patchset_hash") for checkout in json.loads(output)["checkouts"]}
    assert len({checkouts[build["checkout_id"]] for build in builds.values()}) == 3, "none, a part, and all of it"


def test_a_series_that_does_not_apply_is_reported_as_a_checkout_that_is_not_valid(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.series(ONE)
    (patch,) = (desk.folder / "series").iterdir()
    patch.write_text(patch.read_text().replace("-\treturn", "-\treturn 17 *"))
    code, output = desk.validate("--skip", "checkpatch")
    assert code == 1, output
    assert {checkout.get("valid") for checkout in json.loads(reported(desk)[1])["checkouts"]} == {None, False}
