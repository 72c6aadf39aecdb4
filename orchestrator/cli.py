"""The door: options in, exit code out. No logic.

Exit codes: 0 pass, 1 the kernel or a test failed, 2 wrong usage, 3 the host failed, 4 nothing but skips,
130 interrupted.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from orchestrator import configfile, doctor, plan
from orchestrator.cache import Cache
from orchestrator.errors import PipelineError, UserError
from orchestrator.model import Side
from orchestrator.terminal import Terminal, console, show

INTERRUPTED = 130

app = typer.Typer(
    name="wpci",
    help="Validate a Linux kernel patch series: build without and with it, boot both, compare test by test.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The pipeline file.", show_default=True)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the values as JSON, for scripts.")]
ModeOption = Annotated[str | None, typer.Option("--mode", "-m", help="Mode of the pipeline file.")]
VariantOption = Annotated[
    list[str], typer.Option("--variant", help="Variant to run instead of the mode's; repeatable.")
]
SuiteOption = Annotated[list[str], typer.Option("--suite", help="Suite to run instead of the mode's; repeatable.")]
TestOption = Annotated[list[str], typer.Option("--test", "-t", help="Glob of tests to run (B01, 'Z*'); repeatable.")]
ResultsOption = Annotated[Path, typer.Option("--results", help="Folder that takes the folder of each run.")]
RunOption = Annotated[str, typer.Option("--run", help="A run: its folder, its name, or 'last'.")]
SideOption = Annotated[Side, typer.Option("--side", help="Which kernel of the pair.")]
JobOption = Annotated[str | None, typer.Option("--job", help="Job of the run, where it has several.")]

PIPELINE = Path("pipeline.yaml")
RESULTS = Path("results")


@app.command()
def run(
    config: ConfigOption = PIPELINE,
    mode: ModeOption = None,
    tree: Annotated[
        str | None, typer.Option("--tree", help="A tree of the pipeline file, or your own directory.")
    ] = None,
    series: Annotated[
        str | None,
        typer.Option("--series", help="A series of the pipeline file, a folder, an mbox, A..B, or - (stdin)."),
    ] = None,
    variant: VariantOption = [],  # noqa: B006
    suite: SuiteOption = [],  # noqa: B006
    test: TestOption = [],  # noqa: B006
    dirty: Annotated[bool, typer.Option("--dirty", help="Take uncommitted changes of --tree along.")] = False,
    three_way: Annotated[bool, typer.Option("--3way", help="Let git am fall back to a 3-way merge.")] = False,
    repeat: Annotated[int, typer.Option("--repeat", "-n", min=1, help="Run each test that often in one guest.")] = 1,
    results: ResultsOption = RESULTS,
    every_test: Annotated[bool, typer.Option("--all", help="List unchanged tests, too.")] = False,
    keep_on_failure: Annotated[
        bool, typer.Option("--keep-on-failure", help="After a red verdict, open a shell in the guest that was red.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build, boot and test base and patched, and say test by test what the series changed."""
    from orchestrator import adhoc, session
    from orchestrator.modes import run as run_mode

    with _terminal(quiet=as_json) as terminal:
        workspace, mode_name = session.open_run(
            configfile.load(config),
            mode,
            adhoc.Options(tree=tree, series=series, dirty=dirty, three_way=three_way),
            results=results,
            progress=terminal,
        )
        choice = plan.Choice(tuple(variant), tuple(suite), tuple(test), repeat)
        result = run_mode.run(plan.expand(workspace.pipeline, mode_name, choice), workspace)
    if as_json:
        from orchestrator.results import result_json

        typer.echo(result_json.dump(result))
    else:
        show(result, console(), every_test=every_test)
    if keep_on_failure and (red := session.first_red(result)):
        session.shell(red, _Plain())
    raise typer.Exit(result.exit_code)


@app.command("list")
def list_(
    config: ConfigOption = PIPELINE,
    mode: ModeOption = None,
    variant: VariantOption = [],  # noqa: B006
    suite: SuiteOption = [],  # noqa: B006
    test: TestOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Say what a run would do."""
    pipeline = configfile.load(config)
    planned = plan.expand(
        pipeline, mode or pipeline.default_mode, plan.Choice(tuple(variant), tuple(suite), tuple(test))
    )
    if as_json:
        _print_json([dataclasses.asdict(job) for job in planned.jobs])
        return
    out = console()
    out.print(f"mode {planned.mode}: {len(planned.jobs)} jobs", highlight=False)
    for job in planned.jobs:
        box = job.variant_config.machine
        out.print(f"\n[bold]{job.name}[/bold]", highlight=False)
        for what, value in (
            ("tree", f"{job.tree} ({job.source.provider})"),
            ("series", job.series or "none: the base alone"),
            ("variant", f"{job.variant}: {', '.join(f.name for f in job.variant_config.fragments)}"),
            ("machine", f"{box.cpus} vCPU, {box.memory >> 20} MiB, {box.numa_nodes} nodes, {job.variant_config.accel}"),
            ("suites", ", ".join(name for name, _ in job.suites)),
            ("tests", ", ".join(job.tests)),
        ):
            out.print(f"  {what:8} {value}", markup=False, highlight=False, soft_wrap=True)


@app.command("doctor")
def doctor_(as_json: JsonOption = False) -> None:
    """Say what this machine has and lacks for a run."""
    findings = doctor.examine(Cache.default())
    if as_json:
        _print_json([dataclasses.asdict(f) for f in findings])
    else:
        out = console()
        for finding in findings:
            mark = "[green]ok[/]  " if finding.ok else "[red]no[/]  " if finding.needed else "[yellow]note[/]"
            out.print(f"{mark} {finding.what:22} {finding.detail}", highlight=False, soft_wrap=True)
    raise typer.Exit(0 if all(f.ok or not f.needed for f in findings) else 3)


@app.command()
def parse(
    file: Annotated[Path, typer.Argument(help="Saved output of a test program (KTAP or TAP).")],
    as_json: JsonOption = False,
) -> None:
    """Read saved test output as a run would."""
    from orchestrator.results import ktap

    report = ktap.parse(_read(file))
    if as_json:
        _print_json(dataclasses.asdict(report))
    else:
        for result in report.tests:
            typer.echo(f"{result.status.value:8} {result.name}" + (f": {result.reason}" if result.reason else ""))
        for problem in report.problems:
            typer.echo(f"problem: {problem}")
    bad = report.problems or not report.tests or any(t.status.broken for t in report.tests)
    raise typer.Exit(1 if bad else 0)


@app.command()
def scan(
    file: Annotated[Path, typer.Argument(help="Saved console of a guest.")],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Pipeline file with rules and allow-list.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find the kernel's complaints in a saved console."""
    import datetime

    from orchestrator.results import splat

    pipeline = configfile.load(config) if config else None
    rules = splat.load_rules(pipeline.splat_rules if pipeline else None)
    found = splat.scan(_read(file), rules, pipeline.allow if pipeline else (), datetime.date.today())
    if as_json:
        _print_json([dataclasses.asdict(s) for s in found])
    else:
        for s in found:
            allowed = f" (allowed: {s.allowed_by})" if s.allowed_by else ""
            typer.echo(f"{file}:{s.first_line}: {s.kind}: {s.title} [{s.test or 'no test'}]{allowed}")
    raise typer.Exit(1 if any(s.allowed_by is None for s in found) else 0)


@app.command()
def boot(
    run: RunOption = "last",
    side: SideOption = Side.PATCHED,
    job: JobOption = None,
    gdb: Annotated[
        bool, typer.Option("--gdb", help="Wait for gdb on a loopback port before the first instruction.")
    ] = False,
    test: TestOption = [],  # noqa: B006
    results: ResultsOption = RESULTS,
) -> None:
    """Boot a kernel of an earlier run, show its console, and run the named tests in it."""
    from orchestrator import session

    found = session.find(results, run, side, job)
    raise typer.Exit(session.boot(found, tuple(test), _Plain(), gdb=gdb))


@app.command("shell")
def shell_(
    run: RunOption = "last", side: SideOption = Side.PATCHED, job: JobOption = None, results: ResultsOption = RESULTS
) -> None:
    """Boot a kernel of an earlier run and open an SSH session in it."""
    from orchestrator import session

    raise typer.Exit(session.shell(session.find(results, run, side, job), _Plain()))


@app.command()
def clean(
    everything: Annotated[bool, typer.Option("--all", help="The whole cache, with sources and ccache.")] = False,
) -> None:
    """Remove work trees and built products from the cache; sources and ccache stay unless --all."""
    from orchestrator import session

    typer.echo(session.clean(Cache.default(), everything=everything))


@app.command()
def schema() -> None:
    """Print the JSON schema of pipeline.yaml, for editors."""
    typer.echo(configfile.schema(), nl=False)


class _Plain:
    """Progress as plain lines on standard error, for commands that hand the terminal over."""

    def note(self, text: str) -> None:
        typer.echo(text, err=True)

    def advance(self, what: str, done: float, total: float | None) -> None:
        del what, done, total


def _terminal(*, quiet: bool) -> Terminal:
    return Terminal(console(stderr=quiet))


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error


def _print_json(value: Any) -> None:
    def plain(item: Any) -> Any:
        if hasattr(item, "model_dump"):
            return item.model_dump(mode="json")
        return getattr(item, "value", None) or str(item)

    typer.echo(json.dumps(value, indent=2, sort_keys=True, default=plain))


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
    sys.exit(guarded(app))


if __name__ == "__main__":
    main()
