"""Test programs of the tree under test: what its Makefiles build, in a cage, against its own headers."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.arch import DEFAULT
from orchestrator.config.suites import Suite
from orchestrator.errors import KernelError, UserError
from orchestrator.host import beneath
from orchestrator.host.cache import Cache, digest
from orchestrator.host.disk import remove_tree
from orchestrator.host.process import Cage, Deadline, sandbox
from orchestrator.kbuild import compiler_log, make, namesakes, outfolder, programs
from orchestrator.kbuild.compiler_log import Folders
from orchestrator.kbuild.host import ThisHost
from orchestrator.kbuild.programs import Share
from orchestrator.model import Programs
from orchestrator.model.outcomes import BUILDS
from orchestrator.progress import Progress

_SOURCE = "source"


class NoMakefile(UserError):
    """The folder of a suite has no Makefile in the tree under test."""


@dataclass(frozen=True)
class TreeSuite:
    """A suite whose programs come from the tree under test.

    ``source`` and ``content`` are as in a kernel's ``BuildRequest``. ``out`` is private to the programs, and kept.
    ``owner`` is as in a ``BuildRequest``, too.
    """

    name: str
    config: Suite
    source: Path
    content: str
    out: Path
    arch: str = DEFAULT.name
    owner: str = ""
    jobs: int = field(default_factory=make.processors)

    @property
    def files(self) -> tuple[str, ...]:
        """The program files, as the run lines name them."""
        return tuple(dict.fromkeys(program.called for program in self.config.programs if program.called))


def in_tree(config: Suite, source: Path) -> Suite:
    """Return a suite as this tree has it: in which of its folders, and with which programs, where some may be absent.

    What is left without any program is the suite as it was, for whoever builds it to refuse.
    """
    places = (config.directory, *config.or_directories)
    directory = next((place for place in places if (source / place / "Makefile").is_file()), config.directory)
    folder = source / directory
    there = [p for p in config.programs if (folder / f"{p.called}.c").is_file() or (folder / p.called).is_file()]
    programs = tuple(there) if there and config.absent == "skip" else config.programs
    return config.model_copy(update={"directory": directory, "programs": programs})


def build_from_tree(
    suite: TreeSuite, cache: Cache, progress: Progress, deadline: Deadline, share: Share = programs.alone
) -> Programs:
    """Build the programs that a suite's run lines name, in ``suite.directory`` of the tree, against its own headers.

    ``make`` of the suite may hold variables and targets; without a target each program file is one. A file that
    make has no rule for is taken as it lies there (a script). Raises UserError where the suite names nothing that
    the tree has (NoMakefile where it has no such folder), KernelError where it does not build.
    """
    folder = suite.source / suite.config.directory
    if not (folder / "Makefile").is_file():
        raise NoMakefile(f"suite {suite.name}: {suite.config.directory} has no Makefile in this tree")
    if not suite.files:
        raise UserError(f"suite {suite.name}: a suite from a tree must say which programs it runs")
    what = (str(suite.config.directory), *suite.config.make, "for", *suite.files)
    key = digest(programs.RECIPE, suite.content, *what, make.toolchain(), *([suite.owner] if suite.owner else []))

    def build(scratch: Path) -> None:
        stamp = namesakes.stamp(suite.source)
        with outfolder.opened_log(suite.out, suite.owner, stamp, progress) as log:
            log.truncate(0)
            store = make.Store(outfolder.layer(suite.out).absolute(), trusted=not suite.owner)
            cc = make.compiler(cache, store, stamp, suite.source.absolute(), suite.out.absolute())
            _make_in_tree(
                suite, cc, Path(log.name), lambda argv, env, cage: make.run(argv, env, log, _quiet, deadline, cage)
            )
            output = make.output(Path(log.name))
        for name in suite.files:
            _take(suite, name, scratch / name, output)

    return programs.kept(suite.name, key, cache, progress, build, share)


def _take(suite: TreeSuite, name: str, to: Path, output: str) -> None:
    """Copy a program that make left, or a script as it lies in the folder; of some, another that says why it is not.

    Raises KernelError where each must be there.
    """
    for made in (f"bin/{name}", f"{_SOURCE}/{name}"):
        if beneath.is_file(suite.out, made):
            beneath.copy(suite.out, made, to)
            return
    if suite.config.absent != "skip":
        raise KernelError(f"suite {suite.name}: make left no {name}", log=outfolder.log(suite.out))
    to.write_text(_UNBUILT.format(reason=shlex.quote("# " + compiler_log.error_of(name, output))))
    to.chmod(0o755)


_UNBUILT = f"""#!/bin/sh
echo 1..1
echo {{reason}}
echo not ok 1 {BUILDS}
exit 1
"""
"""What runs in the place of a program that does not build: it fails alone, and by its name."""


def _quiet(line: str) -> None:
    """Say nothing of a line of the log."""


def _make_in_tree(
    suite: TreeSuite, cc: make.Compiler, log: Path, run: Callable[[Sequence[str], dict[str, str], Cage], int]
) -> None:
    """Install the tree's headers into a folder of ours, and build the programs against them.

    ``-static`` is asked for through EXTRA_CFLAGS and KHDR_INCLUDES, the two names by which Makefiles of selftests
    have taken flags from 5.10 to today; a suite's own variables come last and win.
    """
    folders = Folders(suite.source, suite.out)
    cage = _cage(suite, cc)
    env = make.environment(cc)
    kernel = make.kernel_argv(suite.source, suite.out / "headers", suite.arch, suite.jobs, cc)
    fault = KernelError(f"suite {suite.name} does not build")
    host = ThisHost(suite.out)
    for made in ("usr", "bin"):  # neither make takes away what an earlier tree had, and what does not build now stays
        remove_tree(suite.out / made)
    code = run([*kernel, f"INSTALL_HDR_PATH={suite.out / 'usr'}", "headers_install"], env, cage)
    programs.judge(code, log, folders, fault, host)
    output = suite.out / "bin"
    output.mkdir(exist_ok=True)
    sandbox.give(output)
    include = f"-isystem {suite.out / 'usr' / 'include'}"
    variables = [f"OUTPUT={output}", f"CC={cc.command}", f"KHDR_INCLUDES={include}", f"EXTRA_CFLAGS={include} -static"]
    targets = [] if any("=" not in word for word in suite.config.make) else _targets(suite, output)
    folder = suite.source / suite.config.directory
    going = ["--keep-going"] if suite.config.absent == "skip" else []
    argv = ["make", "--output-sync=target", *going, f"-j{suite.jobs}", f"-C{folder}", *variables, *suite.config.make]
    code = run([*argv, *targets], env, cage)
    if going and any(output.iterdir()) and not compiler_log.host_fault(make.output(log), host):
        return
    programs.judge(code, log, Folders(folder, folder), fault, host)


def _cage(suite: TreeSuite, cc: make.Compiler) -> Cage:
    """Return the cage of a suite's build. Its Makefile writes beside its sources: those are a copy.

    Raises KernelError where the folder is a link, or not to be read.
    """
    copy, folder = suite.out.absolute() / _SOURCE, suite.source.absolute() / suite.config.directory
    remove_tree(copy)
    try:
        beneath.copy_files(suite.source, str(suite.config.directory), copy)
    except OSError as error:
        raise KernelError(f"suite {suite.name}: {suite.config.directory} of the tree: {error}") from error
    for path in (copy, *copy.rglob("*")):
        sandbox.give(path)
    return cc.cage([suite.source.absolute()], [suite.out.absolute()], ((copy, folder),))


def _targets(suite: TreeSuite, output: Path) -> list[str]:
    folder = suite.source / suite.config.directory
    return [str(output / name) for name in suite.files if (folder / f"{name}.c").is_file()]
