"""Pages → a folder that is whole at any time: the old pages until the new ones are all there, then file by file.

Two reports into one folder follow one another. Only files of an earlier report are ever replaced or removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from orchestrator.errors import InfraError, UserError
from orchestrator.host import disk
from orchestrator.host.scratch import held
from orchestrator.text import textfile

LIST = ".wpci-pages"
"""The names of the pages that are ours, a line each."""
_NEW = ".wpci-new"


def publish(out: Path, pages: Iterable[tuple[str, str]]) -> int:
    """Write pages (name, text) into a folder in place of those of the last report; return how many there are.

    The last page comes to its place last: it is the front page. Raises UserError for a folder that holds something
    else, InfraError where it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with held(out):
            known = _known(out)
            scratch = _fresh(out / _NEW)
            names = [_write(scratch, name, text) for name, text in pages]
            _listed(out, {*known, *names})
            for name in names:
                (scratch / name).replace(out / name)
            for name in known - {*names}:
                (out / name).unlink(missing_ok=True)
            _listed(out, {*names})
            scratch.rmdir()
    except OSError as error:
        raise InfraError(f"cannot write {error.filename or out}: {error.strerror}") from error
    return len(names)


def _known(out: Path) -> set[str]:
    """Return the pages of the last report. Raises UserError where the folder is not one of ours."""
    if not (out / LIST).exists():
        if foreign := sorted(path.name for path in out.iterdir() if not path.name.startswith(".")):
            raise UserError(f"{out}: not a folder of an earlier report, and not empty ({foreign[0]})")
        return set()
    names = textfile.read(out / LIST).splitlines()
    return {name for name in names if name.endswith(".html") and "/" not in name}


def _fresh(scratch: Path) -> Path:
    if scratch.exists():  # of a report that was killed
        shutil.rmtree(scratch)
    scratch.mkdir()
    return scratch


def _write(scratch: Path, name: str, text: str) -> str:
    (scratch / name).write_text(text, encoding="utf-8", errors="replace")
    return name


def _listed(out: Path, names: set[str]) -> None:
    disk.write_atomic(out / LIST, "".join(f"{name}\n" for name in sorted(names)))
