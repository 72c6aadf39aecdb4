"""The door: commands in, exit code out. No logic.

Exit codes: 0 pass, 1 the kernel or a test failed, 2 wrong usage, 3 the host failed, 4 nothing but skips,
130 interrupted.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import NoReturn

import typer

from orchestrator.cli import bisect, history, inspect, kcidb, mutate, nightly, reboot, report, run, streams, validate
from orchestrator.errors import PipelineError

INTERRUPTED = 130

app = typer.Typer(
    name="wpci",
    help="Validate a Linux kernel patch series: build without and with it, boot both, compare test by test.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

COMMANDS: dict[str, Callable[..., None]] = {
    "run": run.run,
    "list": run.list_,
    "nightly": nightly.nightly,
    "history": history.history_,
    "report": report.report,
    "kcidb": kcidb.kcidb_,
    "bisect": bisect.bisect,
    "mutate": mutate.mutate,
    "validate": validate.validate,
    "doctor": inspect.doctor_,
    "parse": inspect.parse,
    "scan": inspect.scan,
    "boot": reboot.boot,
    "shell": reboot.shell_,
    "clean": reboot.clean,
    "schema": inspect.schema,
}

for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
app.command("hunks", hidden=True)(mutate.mutate)  # the name it had before


class _Interrupted(SystemExit):
    """Ctrl-C or SIGTERM. No KeyboardInterrupt: the option parser would make an exit code 1 of it."""


def _interrupt(number: int, frame: object) -> NoReturn:
    del frame
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)  # a second Ctrl-C must not cut the clean-up short
    raise _Interrupted(INTERRUPTED)


def guarded(command: Callable[[], None]) -> int:
    """Run the command line; return its exit code. A fault is one line, and where the log lies."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        command()
    except PipelineError as error:
        print(f"wpci: {error}", file=sys.stderr)
        if error.log:
            print(f"wpci: log: {error.log}", file=sys.stderr)
        return error.exit_code
    except _Interrupted:
        print("wpci: interrupted; what is whole stays in the cache, and the next run goes on from it", file=sys.stderr)
        return INTERRUPTED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2 if stop.code else 0
    return 0


def main() -> NoReturn:
    """Enter the program."""
    streams.outlive_readers()
    sys.exit(guarded(app))


if __name__ == "__main__":
    main()
