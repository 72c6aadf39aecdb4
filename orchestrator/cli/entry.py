"""The entry of the program. It sees to Ctrl-C before the rest is loaded, which takes a second on a busy machine."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from orchestrator import signals
from orchestrator.errors import Exit


def main() -> NoReturn:
    """Load the command line, and enter it."""
    for number in signals.ending():
        signal.signal(number, _interrupt)
    from orchestrator.cli import main as commands

    commands.main()


def _interrupt(number: int, frame: object) -> NoReturn:
    """End at once: nothing has begun yet, and what is half loaded cannot clean up."""
    del number, frame
    os.write(2, b"wpci: interrupted\n")
    os._exit(Exit.INTERRUPTED)
