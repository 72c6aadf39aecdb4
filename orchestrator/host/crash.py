"""What nobody foresaw: any exception that is not ours is a fault of the host, and its traceback a log."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import Cancelled, InfraError, PipelineError
from orchestrator.text import wording

LOG = "unexpected.log"
_MOST = 300
"""Characters of the message in the line for people; the log has all of it."""


@contextlib.contextmanager
def contained(folder: Path) -> Iterator[None]:
    """Let only faults of ours out of the block: another exception becomes an InfraError, with its log in ``folder``."""
    try:
        yield
    except (PipelineError, Cancelled):
        raise
    except Exception as error:
        raise fault(error, folder) from error


def fault(error: Exception, folder: Path) -> InfraError:
    """Return one line on an exception that is not ours; its traceback goes to the end of a log."""
    log: Path | None = folder / LOG
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG).open("a", errors="backslashreplace") as file:
            traceback.print_exception(error, file=file)
    except OSError:  # the disk may be what failed
        log = None
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {Path(where[0].filename).name}:{where[0].lineno}" if where else ""
    message = wording.cut(str(error) or "no message", _MOST)
    return InfraError(f"unexpected {type(error).__name__}{place}: {message}", log=log)
