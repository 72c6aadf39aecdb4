"""What is offered for unattended nights is valid, and calls commands that exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from orchestrator.cli import main

CONTRIB = Path(__file__).parents[2] / "contrib"
FILES = sorted(path for path in CONTRIB.rglob("*") if path.is_file())


def commands(text: str) -> list[list[str]]:
    """Return the wpci commands in a file, split as a shell does."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [shlex.split(found[1]) for line in lines if (found := re.search(r"bin/wpci (.+)$", line))]


@pytest.mark.parametrize("path", [f for f in FILES if f.suffix != ".timer"], ids=lambda path: path.name)
def test_every_command_exists_with_its_options(path: Path) -> None:
    found = commands(path.read_text())
    assert found
    group: Any = typer.main.get_command(main.app)
    for name, *arguments in found:
        assert group.commands[name].make_context(name, arguments).params


@pytest.mark.parametrize("name", ["wpci-nightly.service", "wpci-nightly.timer"])
def test_systemd_takes_its_units(name: str, tmp_path: Path) -> None:
    assert shutil.which("systemd-analyze"), "systemd-analyze is not installed: apt-get install systemd"
    for path in (CONTRIB / "systemd").iterdir():
        text = path.read_text().replace("/srv/wpci/.venv/bin/wpci", "/bin/true")
        (tmp_path / path.name).write_text(text)
    argv = ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    about_ours = [line for line in done.stderr.splitlines() if "wpci" in line]
    assert (done.returncode, about_ours) == (0, [])


@pytest.mark.parametrize("name", ["wpci-nightly.service", "wpci-worker.service"])
def test_a_unit_leaves_what_the_cage_needs(name: str) -> None:
    """Seen under systemd 252: with any of these bubblewrap ends with an error, and builds would run without a cage."""
    text = (CONTRIB / "systemd" / name).read_text()
    directives = {line.partition("=")[0] for line in text.splitlines() if not line.startswith("#")}
    assert directives & {"RestrictNamespaces", "ProtectHostname", "ProtectKernelTunables", "SystemCallFilter"} == set()


def test_the_timer_starts_every_night_and_makes_up_for_one() -> None:
    text = (CONTRIB / "systemd" / "wpci-nightly.timer").read_text()
    (calendar,) = re.findall(r"^OnCalendar=\*-\*-\* (\d\d:\d\d:\d\d)$", text, re.MULTILINE)
    assert calendar < "06:00:00" and "Persistent=true" in text


def test_cron_runs_it_each_night_as_its_user() -> None:
    (line,) = re.findall(r"^[\d*].*$", (CONTRIB / "cron" / "wpci-nightly").read_text(), re.MULTILINE)
    minute, hour, day, month, weekday, user, command = line.split(None, 6)
    assert 0 <= int(minute) < 60 and 0 <= int(hour) < 24 and (day, month, weekday) == ("*", "*", "*")
    assert user == "wpci" and command.startswith("cd ")


def test_github_runs_it_and_keeps_its_junit_whatever_comes() -> None:
    workflow = yaml.safe_load((CONTRIB / "github" / "nightly.yml").read_text())
    assert workflow[True]["schedule"] == [{"cron": "30 1 * * *"}]  # YAML 1.1 reads 'on' as true
    steps = workflow["jobs"]["nightly"]["steps"]
    (upload,) = [step for step in steps if "upload-artifact" in step.get("uses", "")]
    assert upload["if"] == "always()" and "results/*/junit.xml" in upload["with"]["path"].split()
    assert all(("run" in step) != ("uses" in step) for step in steps)


def test_gitlab_runs_it_and_reads_its_junit_whatever_comes() -> None:
    job = yaml.safe_load((CONTRIB / "gitlab" / "nightly.gitlab-ci.yml").read_text())["nightly"]
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["reports"]["junit"] == "results/*/junit.xml"
    assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}]
