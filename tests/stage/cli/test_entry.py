"""Ctrl-C while the program is still loaded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stage.pipeline.test_run import wait_for


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_while_the_program_is_loaded_is_one_line(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "typer.py").write_text("import pathlib, time\npathlib.Path('loading').touch()\ntime.sleep(600)\n")
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{root}"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:
        wait_for(tmp_path, "loading")
        child.send_signal(number)
        output, _ = child.communicate()
    assert (child.returncode, output) == (130, "wpci: interrupted\n")
