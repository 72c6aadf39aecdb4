"""Faults of our own that nobody foresaw: they end their own job, and read as a failure of nobody's kernel."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stage.cli.test_commands import Table
from tests.stage.pipeline.test_run import GOOD

IN_A_STAGE = """
from orchestrator.series import apply
kept = apply.apply
def broken(tree, loaded, *arguments, **options):
    if "bad" in str(loaded):
        raise RuntimeError("[/b] nobody foresaw this \\x1b[31m")
    return kept(tree, loaded, *arguments, **options)
apply.apply = broken
"""
IN_A_REPORT = """
from orchestrator.report import junit
kept = junit.render_job
def broken(job, *arguments):
    if "bad" in job.name:
        raise RecursionError("[/b] nobody foresaw this")
    return kept(job, *arguments)
junit.render_job = broken
"""


@pytest.mark.nightly
@pytest.mark.parametrize("sabotage", [IN_A_STAGE, IN_A_REPORT], ids=["in a stage", "in a report"])
def test_the_other_series_of_a_run_is_judged(sabotage: str, tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.series(*GOOD)
    shutil.copytree(table.folder / "series", table.folder / "bad")
    pipeline = table.folder / "pipeline.yaml"
    text = pipeline.read_text().replace("series:\n", "series:\n  bad: {path: bad, tree: toy}\n", 1)
    pipeline.write_text(text.replace("{series: [three],", "{series: [bad, three],"))
    (table.folder / "ours").mkdir()
    (table.folder / "ours" / "sitecustomize.py").write_text(sabotage)
    path = f"{table.folder / 'ours'}:{table.environment['PYTHONPATH']}"
    done = subprocess.run(
        table.argv("run"), cwd=table.folder, env={**table.environment, "PYTHONPATH": path}, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    code, output = done.returncode, done.stdout
    assert code == 3 and "nobody foresaw this" in output and "Traceback" not in output and "\x1b" not in output, output
    result = table.result()
    assert {s["series"]: s["verdict"] for s in result["series"]}["three"] == "pass", output
    assert result["verdict"] == "infra" and result["exit_code"] == 3
    (log,) = (table.folder / "results" / "last" / "jobs").glob("toy.bad.small/unexpected.log")
    assert "Traceback" in log.read_text()
    assert (table.folder / "results" / "last" / "junit.xml").is_file()
