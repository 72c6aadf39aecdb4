"""The files of a run, and of each of its jobs: where a writer puts them and every reader looks."""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator.errors import UserError
from orchestrator.text import textfile

RUN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}(-bisect-\d+)?", re.ASCII)
"""The name of a run's folder: the time, something random, and which bisect of a night it is."""

RESULT = "result.json"
"""Everything, of a run or of a job (``report/result_json.py``)."""
JUNIT = "junit.xml"
JOB_JUNIT = "job-junit.xml"
"""That of one job: a name that ``**/junit*.xml`` does not catch, for its cases are in the run's as well."""
SUMMARY = "summary.md"
PAGE = "report.html"
NIGHT = "night.txt"
"""How a night compares with those before."""

JOBS = "jobs"
CHECKS = "checks"
"""The folder in which the logs of the checks of a validation are, and a folder for each that runs jobs of its own."""
REPRODUCE = "reproduce.sh"
"""Boots the kernel of a job again, and runs one test in it."""
CONFIG = "config"
"""The .config of a job's kernel: the cache may be emptied."""
PATCHES = "patches"
"""The folder of a job in which the patches are that it applied, in their order."""
PROGRAMS = "programs"
"""The folder of a job in which the sources of the user's own programs are."""

COVERAGE = "coverage.json"
"""What is known of each changed line of a job's series (``coverage/measure.py``)."""
COVERAGE_PAGE = "coverage.html"

_TEXTS = {RESULT, JUNIT, JOB_JUNIT, SUMMARY, NIGHT, REPRODUCE, CONFIG, COVERAGE, COVERAGE_PAGE}
KEPT = frozenset({*_TEXTS, PATCHES, PROGRAMS})
"""What says what a run came to, and from what. Whatever else a folder of jobs holds is an artifact."""

BOOT = "boot-"
"""With what the name of a guest's folder begins."""
TEMPLATE = "template-"
"""With what the name of the folder of a guest begins that is booted to be cloned."""
CONSOLE = "console.log"
"""What a guest wrote to its console, in its folder."""
POSTMORTEM = "postmortem-"
"""With what the names of the files begin that a look at a guest leaves there; the dump ends with ``DUMP``."""
DUMP = ".kdump"


def find(results: Path, run: str, holds: str = RESULT) -> Path:
    """Return the folder of an earlier run, by that folder or by its name in ``results`` (``last`` is one).

    ``holds`` is what must be in it for the purpose. Raises UserError where there is no such run.
    """
    for folder in (Path(run), results / run):
        if textfile.is_there(folder / holds):
            return folder
    raise UserError(f"{run}: no such run in {results}")


def boot(number: int) -> str:
    """Return the name of the folder of a job's guest; guests count from 1."""
    return f"{BOOT}{number}"


def boots(job: Path) -> int:
    """Return how many guests have run tests in the folder of a job."""
    return len(list(job.glob(f"{BOOT}*")))


def consoles(job: Path) -> tuple[Path, ...]:
    """Return the consoles of the guests that ran tests, in the order of booting."""
    return tuple(sorted(job.glob(f"{BOOT}*/{CONSOLE}"), key=boot_number))


def templates(job: Path) -> tuple[Path, ...]:
    """Return the consoles of the guests that were booted to be cloned for the suites, in the order of booting."""
    return tuple(sorted(job.glob(f"{TEMPLATE}*/{CONSOLE}")))


def dumps(job: Path) -> tuple[Path, ...]:
    """Return the dumps of guests that are there, in the order of ``look_order``."""
    there = (path for name in (BOOT, TEMPLATE) for path in job.glob(f"{name}*/{POSTMORTEM}*{DUMP}"))
    return tuple(sorted(there, key=look_order))


def texts(guest: Path) -> tuple[Path, ...]:
    """Return what was written down of looks at a guest, in its folder, beside the dumps: a few kilobytes each."""
    return tuple(path for path in guest.glob(f"{POSTMORTEM}*") if path.suffix in {".txt", ".json"})


def look_order(dump: Path) -> tuple[int, str]:
    """Return by what dumps are sorted: the order of booting, then of looking, which is done a few times at most."""
    return boot_number(dump), dump.name


def boot_number(file: Path) -> int:
    """Return the number of the guest that a file, such as its console, is of; 0 where its folder has none."""
    digits = file.parent.name.removeprefix(BOOT)
    return int(digits) if digits.isdecimal() and digits.isascii() else 0


def job_results(run: Path) -> tuple[Path, ...]:
    """Return the result files of the jobs of a run that are there."""
    return tuple(sorted(run.glob(f"{JOBS}/*/{RESULT}")))


def check_results(run: Path) -> tuple[Path, ...]:
    """Return the result files of the jobs of the checks of a validation that are there."""
    return tuple(sorted(run.glob(f"{CHECKS}/*/{JOBS}/*/{RESULT}")))
