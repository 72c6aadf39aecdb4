"""Commands that look at something and change nothing: a machine, saved output, a saved console, the schema."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.arch import ARCHITECTURES
from orchestrator.cli import output
from orchestrator.cli.options import ConfigOption, JsonOption, refuse
from orchestrator.cli.screen import Screen, Styled
from orchestrator.errors import Exit, UserError
from orchestrator.host import doctor, packages, process
from orchestrator.host.cache import Cache
from orchestrator.model import Status


def doctor_(
    context: typer.Context,
    config: ConfigOption = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Install what lacks, as root; else print the line that does.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what this machine has and lacks for a run."""
    variants = output.pipeline(config, quiet=True).variants.values()
    names = dict.fromkeys(variant.arch for variant in variants)
    findings = doctor.examine(Cache.default(), [ARCHITECTURES[name] for name in names])
    if fix:
        refuse(context, ("as_json",), "not with --fix")
        raise typer.Exit(_fixed(packages.install(f.lacks for f in findings if f.lacks)))
    if as_json:
        output.json([dataclasses.asdict(f) for f in findings])
    else:
        out = Screen()
        for finding in findings:
            word, colour = ("ok", "green") if finding.ok else ("no", "red") if finding.needed else ("note", "yellow")
            out.line(Styled(f"{word:4}", colour), f" {finding.what:22} {finding.detail}")
    raise typer.Exit(0 if all(f.ok or not f.needed for f in findings) else Exit.INFRA)


def _fixed(line: str) -> int:
    """Run the line that installs what lacks, or print it where it is not ours to run; return its exit code."""
    if not line:
        Screen().line("no package lacks")
        return 0
    Screen().line(line)
    return process.interact(["sh", "-c", line]) if os.geteuid() == 0 else 0


def parse(
    file: Annotated[Path, typer.Argument(help="Saved output of a test program (KTAP or TAP).")],
    as_json: JsonOption = False,
) -> None:
    """Read saved test output as a run would."""
    from orchestrator.guest import protocol
    from orchestrator.parse import ktap

    with output.reading(file) as text:
        report = ktap.parse_file(text, windows=protocol.Windows())
    if as_json:
        output.json(dataclasses.asdict(report))
    else:
        for result in report.tests:
            Screen().line(f"{result.status.value:8} {result.name}" + (f": {result.reason}" if result.reason else ""))
        for problem in report.problems:
            Screen().line(f"problem: {problem}")
    statuses = {test.status for test in report.tests}
    bad = report.problems or not statuses or any(status.broken for status in statuses)
    raise typer.Exit(Exit.FAIL if bad else Exit.SKIP if statuses == {Status.SKIP} else Exit.PASS)


def scan(
    file: Annotated[Path, typer.Argument(help="Saved console of a guest.")],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Pipeline file with rules and allow-list.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find the kernel's complaints in a saved console."""
    import datetime

    from orchestrator.config import loader
    from orchestrator.parse import splat

    pipeline = loader.load(config) if config else None
    rules = splat.load_rules(pipeline.splat_rules if pipeline else None)
    with output.reading(file) as console:
        if _is_blank(console):
            raise UserError(f"{file}: nothing stands in it, and so nothing is known")
        splats = splat.scan_file(console, rules, pipeline.allow if pipeline else (), datetime.date.today())
    if as_json:
        output.json([dataclasses.asdict(s) for s in splats])
    else:
        for s in splats:
            allowed = f" (allowed: {s.allowed_by})" if s.allowed_by else ""
            Screen().line(f"{file}:{s.first_line}: {s.kind}: {s.title} [{s.test or 'no test'}]{allowed}")
    raise typer.Exit(Exit.FAIL if any(s.allowed_by is None for s in splats) else Exit.PASS)


def _is_blank(console: Path) -> bool:
    """Whether nothing was ever printed on a console."""
    with console.open("rb") as file:
        return not any(piece.strip(b"\0 \t\r\n") for piece in iter(lambda: file.read(2**20), b""))


def schema() -> None:
    """Print the JSON schema of pipeline.yaml, for editors."""
    from orchestrator.config import loader

    Screen().document(loader.schema())
