"""What the wheel brings: all that an installed wpci needs where there is no checkout, and its manual page."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as pip does, but with the backend that is installed here: without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_has_what_a_run_reads(wheel: Path) -> None:
    there = names(wheel)
    for place in ("pipeline.yaml", "kconfigs", "guest-tests", "patches"):
        files = (
            [ROOT / place]
            if (ROOT / place).is_file()
            else [p for p in (ROOT / place).rglob("*.[chyp]*") if p.is_file()]
        )
        assert files and {f"orchestrator/shipped/{file.relative_to(ROOT)}" for file in files} <= there


def test_what_is_no_python_goes_along(wheel: Path) -> None:
    there = names(wheel)
    data = [p for p in (ROOT / "orchestrator").rglob("*") if p.suffix in {".yaml", ".sh", ".j2", ".c", ".config"}]
    assert data and {str(path.relative_to(ROOT)) for path in data} <= there


def test_the_manual_page_goes_along_and_is_that_of_this_help(wheel: Path) -> None:
    (page,) = [name for name in names(wheel) if name.endswith("/data/share/man/man1/wpci.1")]
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(page).decode()
    made = subprocess.run([Path(sys.executable).with_name("wpci"), "--man"], capture_output=True, text=True, check=True)
    assert text == made.stdout, "`make man` writes docs/wpci.1 anew"
