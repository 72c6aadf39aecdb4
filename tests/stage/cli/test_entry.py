"""Ctrl-C while the program is still loaded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stage.pipeline.test_run import wait_for


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
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


def test_what_nohup_starts_outlives_its_terminal(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGHUP)\nos._exit(7)\n")
    argv = ["nohup", sys.executable, "-m", "orchestrator.cli", "--version"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[3]}"}
    assert subprocess.run(argv, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, check=False).returncode == 7
