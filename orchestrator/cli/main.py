"""The entry point: commands in, exit code (``errors.Exit``) out. No logic."""

from __future__ import annotations

import functools
import getpass
import locale
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from orchestrator import signals
from orchestrator.cli import (
    bisect,
    bundle,
    diff,
    history,
    init,
    inspect,
    kcidb,
    listing,
    man,
    mutate,
    nightly,
    parser,
    postmortem,
    reboot,
    report,
    run,
    screen,
    streams,
    validate,
    worker,
)
from orchestrator.errors import Exit, InfraError, PipelineError
from orchestrator.host import crash

app = typer.Typer(
    name="wpci",
    cls=parser.Group,
    help="Validate a Linux kernel patch series: build without and with it, boot both, compare test by test.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        screen.Screen().line(f"wpci {metadata.version('wpci')}")
        raise typer.Exit


def _manual(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        screen.Screen().text(man.page(typer.main.get_command(app), metadata.version("wpci")))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    manual: Annotated[
        bool,
        typer.Option("--man", callback=_manual, is_eager=True, help="Print the manual page and exit."),
    ] = False,
) -> None:
    """Validate a Linux kernel patch series: build without and with it, boot both, compare test by test."""


COMMANDS: dict[str, Callable[..., None]] = {
    "init": init.init,
    "run": run.run,
    "list": listing.list_,
    "nightly": nightly.nightly,
    "history": history.history_,
    "report": report.report,
    "kcidb": kcidb.kcidb_,
    "bisect": bisect.bisect,
    "mutate": mutate.mutate,
    "validate": validate.validate,
    "diff": diff.diff,
    "bundle": bundle.bundle,
    "worker": worker.worker,
    "certificates": worker.certificates,
    "doctor": inspect.doctor_,
    "parse": inspect.parse,
    "scan": inspect.scan,
    "inspect": postmortem.inspect,
    "build": reboot.build,
    "boot": reboot.boot,
    "shell": reboot.shell_,
    "clean": reboot.clean,
    "schema": inspect.schema,
}

_LOGS = "wpci-unexpected-"
_WIDE = 80
"""Columns of a terminal below which the tables of help would cut the names of options: it is plain text there."""


def _contained(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with nothing but faults of ours coming out of it.

    The option parser makes an exit code 1 of some others.
    """

    @functools.wraps(command)
    def guarded_command(*arguments: object, **options: object) -> None:
        try:
            command(*arguments, **options)
        except (PipelineError, typer.Exit):
            raise
        except Exception as error:
            if isinstance(error, FileNotFoundError) and _folder_is_gone():
                raise InfraError("the folder in which this was typed is gone") from error
            raise crash.fault(error, Path(tempfile.mkdtemp(prefix=_LOGS))) from error

    return guarded_command


def _folder_is_gone() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


for _name, _command in COMMANDS.items():
    app.command(_name, cls=parser.Command)(_contained(_command))
app.command("hunks", cls=parser.Command, hidden=True)(_contained(mutate.mutate))  # the name it had before


class _Interrupted(SystemExit):
    """Ctrl-C, SIGTERM or a lost terminal. No KeyboardInterrupt: the option parser would make an exit code 1 of it."""


def _interrupt(number: int, frame: object) -> NoReturn:
    del frame
    for other in signals.ending():
        signal.signal(other, signal.SIG_IGN)  # a second Ctrl-C must not cut the clean-up short
    raise _Interrupted(Exit.INTERRUPTED)


def guarded(command: Callable[[], None]) -> int:
    """Run the command line; return its exit code. A fault is one line, and where the log lies."""
    for number in signals.ending():
        signal.signal(number, _interrupt)
    code, fault = _answered(command)
    try:
        screen.flushed()
    except PipelineError as error:
        code, fault = (code, fault) if fault else (error.exit_code, error)
    if fault:
        screen.complain(f"wpci: {fault}")
        if fault.log:
            screen.complain(f"wpci: log: {fault.log}")
    return code


def _answered(command: Callable[[], None]) -> tuple[int, PipelineError | None]:
    """Return the exit code of a command, and the fault that ended it."""
    try:
        command()
    except PipelineError as error:
        return error.exit_code, error
    except _Interrupted:
        screen.complain("wpci: interrupted; what is whole stays in the cache, and the next run goes on from it")
        return Exit.INTERRUPTED, None
    except SystemExit as stop:
        return (stop.code if isinstance(stop.code, int) else 2 if stop.code else 0), None
    except OSError as error:  # of the option parser, which prints help and installs completion: a command is contained
        where = f"cannot write {error.filename}" if error.filename else "cannot write the output"
        fault = InfraError(f"{where}: {error.strerror or error}")
        return fault.exit_code, fault
    return 0, None


def _name_user() -> None:
    """Name a user that this system has no name for (`docker run -u 1000`) by the number: fabric does not go on else."""
    try:
        getpass.getuser()
    except (KeyError, OSError):  # the second since Python 3.13
        os.environ["LOGNAME"] = str(os.getuid())


def main() -> NoReturn:
    """Enter the program. Files, arguments and git speak UTF-8 whatever the locale; only the terminal has its own."""
    streams.opened()
    streams.bounded_size()
    logging.getLogger().addHandler(logging.NullHandler())  # without one, what a library warns of goes to stderr
    if not sys.flags.utf8_mode and os.environ.get("PYTHONUTF8") != "1" and locale.getencoding().lower() != "utf-8":
        terminal = f"{sys.stdout.encoding}:backslashreplace"
        environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": terminal}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
    streams.outlive_readers()
    _name_user()
    if screen.columns() < _WIDE:
        app.rich_markup_mode = None
    sys.exit(guarded(app))


if __name__ == "__main__":
    main()
