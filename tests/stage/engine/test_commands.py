"""`wpci certificates`, `wpci worker` and `--engine` as they are typed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.stage.nightly.test_run import Nights


@pytest.fixture
def bench(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


def typed(bench: Nights, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        bench.argv(*words), cwd=bench.folder, env=bench.environment, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_certificates_are_made_once_and_for_this_user_alone(bench: Nights) -> None:
    code, output = typed(bench, "certificates", "mine")
    assert code == 0 and "whoever has them runs code on every worker" in output
    made = {path.name: path.stat().st_mode & 0o777 for path in (bench.folder / "mine").iterdir()}
    assert made == {"ca.pem": 0o600, "cert.pem": 0o600, "key.pem": 0o600}
    assert (bench.folder / "mine").stat().st_mode & 0o777 == 0o700
    key = (bench.folder / "mine" / "key.pem").read_bytes()
    code, output = typed(bench, "certificates", "mine")
    assert code == 2 and "others may have copies of it" in output
    assert (bench.folder / "mine" / "key.pem").read_bytes() == key


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("tcp://127.0.0.1:8786",), "without certificates anybody would run code here"),
        (("tls://127.0.0.1:8786", "--certificates", "none"), "ca.pem: no such file; `wpci certificates none`"),
        (("tls://127.0.0.1:8786", "--part", "3/2"), "--part 3/2: I/N is needed, like 1/2"),
    ],
)
def test_a_worker_that_cannot_be_is_refused(bench: Nights, words: tuple[str, ...], complaint: str) -> None:
    code, output = typed(bench, "worker", *words)
    assert code == 2 and complaint in output, output


def test_a_night_on_workers_of_this_machine(bench: Nights) -> None:
    code, output = typed(bench, "nightly", "--engine", "workers:2")
    assert code == 0, output
    assert "engine: 2 workers on this machine" in output and "against the nights before: 10 new" in output
    assert len({line.split()[1] for line in output.splitlines() if ": suite: 2 tests" in line}) == 2, "each had one"
    assert bench.left_running() == []


def test_an_engine_that_there_is_none_of_is_refused(bench: Nights) -> None:
    code, output = typed(bench, "nightly", "--engine", "slurm")
    assert code == 2 and "--engine slurm: local, workers:N, or tls://HOST:PORT is needed" in output


def test_a_night_that_is_complete_is_not_gone_on_with(bench: Nights) -> None:
    code, output = typed(bench, "nightly", "--continue")
    assert code == 2 and "--continue: there was no night of full before" in output
    typed(bench, "nightly")
    code, output = typed(bench, "nightly", "--continue")
    assert code == 2 and "is complete" in output
