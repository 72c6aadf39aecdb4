"""Suites of programs that know nothing of us, such as the selftests of a kernel tree."""

from __future__ import annotations

from orchestrator.config.schema import ProgramConfig
from orchestrator.host.process import Deadline
from orchestrator.model import TestResult
from orchestrator.parse import case_lines, ktap
from orchestrator.progress import Progress
from orchestrator.suite.request import Boot, Guest, Request, pick
from orchestrator.suite.state import Ledger, Loss


def run(request: Request, boot: Boot, ledger: Ledger, deadline: Deadline, progress: Progress) -> None:
    """Run the programs that were asked for, each between two markers, in as many guests as it takes."""
    names = [p.name for p in request.suite.programs]
    programs = [p for p in request.suite.programs if p.name in pick(names, request.tests)]
    request.check_globs(names)
    queue = list(programs)
    while queue and not ledger.given_up and not deadline.expired:
        with boot() as guest:
            for command in request.suite.setup:
                guest.run(command, deadline=deadline.capped(60 * request.scale), cap=2**16)
            usable = True
            while queue and usable and not deadline.expired:
                usable = _program(request, guest, queue.pop(0), ledger, deadline)
                progress.advance(f"programs of {request.name}", len(programs) - len(queue), len(programs))
    ledger.give_up((program.name for program in queue), deadline)


def _program(request: Request, guest: Guest, program: ProgramConfig, ledger: Ledger, deadline: Deadline) -> bool:
    """Run one program; return whether the guest is fit for the next one."""
    output = request.directory / f"{program.name}.log"
    begin, end = (f"echo 'wpci: {word} {program.name}' >/dev/kmsg" for word in ("begin", "end"))
    command = f"{begin}; cd /tests/{request.name} && {{ {program.run}\n}}; code=$?; {end}; exit $code"
    limit = deadline.capped(request.test_seconds)
    result = ledger.perform(guest, command, limit, output, request.suite.output_cap, program.name)
    if isinstance(result, Loss):
        ledger.charge(result, program.name)
        return result.usable
    if program.format == "exit":
        assert result.exit_code is not None
        tail = result.stdout.splitlines()
        ledger.results.append(ktap.from_exit_code(program.name, result.exit_code, diagnostics=tail))
        return True
    text = output.read_bytes().decode(errors="replace")
    report = ktap.parse(text) if program.format == "ktap" else case_lines.parse(text, program.format)
    ledger.problems += [f"{program.name}: {problem}" for problem in report.problems]
    ledger.results += [
        TestResult(f"{program.name}.{t.name}", t.status, t.reason, t.diagnostics, t.seconds) for t in report.tests
    ]
    return True
