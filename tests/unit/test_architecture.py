"""Who may import whom, and who alone may touch what. A package that the order does not know is refused."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "orchestrator"

ORDER: tuple[tuple[str, ...], ...] = (
    ("errors", "progress", "signals"),
    ("arch", "text"),
    ("config",),
    ("model",),
    ("host",),
    ("parse",),
    ("guest", "kbuild", "postmortem", "trees", "verdict"),
    ("coverage", "notify", "report", "series", "suite"),
    ("history", "pipeline"),
    ("engine",),
    ("bisect", "mutation", "site", "validate"),
    ("nightly",),
    ("cli",),
)
"""Packages from the ground up: each may import those of the rows before its own, and none of its own row."""

WITHOUT: dict[str, tuple[str, ...]] = {
    "history": ("config", "guest", "kbuild", "parse", "trees"),
    "notify": ("guest", "host", "kbuild", "parse", "trees", "verdict"),
    "report": ("guest", "kbuild", "parse", "trees"),
    "site": ("config", "guest", "kbuild", "parse", "pipeline", "series", "suite", "trees"),
}
"""What a package must not import although it lies below: these read values and results only."""

PROTOCOL = "orchestrator.guest.protocol"
"""What guest and host write to one another: who reads it imports it from wherever it is, for it imports nothing."""

OWNERS = {
    "subprocess": ("host/process/",),
    "fabric": ("guest/remote.py",),
    "paramiko": ("guest/remote.py",),
    "sqlalchemy": ("history/",),
    "alembic": ("history/",),
    "requests": ("trees/", "notify/"),
    "rich": ("cli/screen.py",),
    "dask": ("engine/",),
    "distributed": ("engine/",),
    "fsspec": ("host/store.py", "host/store_object.py"),
    "cryptography": ("engine/certificates.py",),
}
"""The libraries that only some may touch."""


def modules() -> Iterator[tuple[Path, set[str]]]:
    """Yield each module of the package with the full names that it imports."""
    for path in sorted(PACKAGE.rglob("*.py")):
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        yield path, names


def package(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def allowed(name: str) -> set[str]:
    row = next(number for number, row in enumerate(ORDER) if name in row)
    below = {other for row in ORDER[:row] for other in row}
    return (below | {name}) - set(WITHOUT.get(name, ()))


def test_each_package_has_its_place_in_the_order() -> None:
    known = [name for row in ORDER for name in row]
    assert sorted(known) == sorted({package(path) for path, _ in modules()} - {"__init__"})


def test_imports_go_down_only() -> None:
    against = [
        (str(path.relative_to(PACKAGE)), name)
        for path, names in modules()
        if package(path) != "__init__"
        for name in names
        if name.startswith("orchestrator.") and name.split(".")[1] not in allowed(package(path))
        if not name.startswith(PROTOCOL)
    ]
    assert against == []


def test_the_protocol_imports_nothing_of_ours() -> None:
    (names,) = [names for path, names in modules() if path.relative_to(PACKAGE).as_posix() == "guest/protocol.py"]
    assert not [name for name in names if name.startswith("orchestrator")]


def test_each_of_these_libraries_has_its_owners() -> None:
    strangers = [
        (str(path.relative_to(PACKAGE)), name)
        for path, names in modules()
        for name in names
        if (owners := OWNERS.get(name.split(".")[0])) and not path.relative_to(PACKAGE).as_posix().startswith(owners)
    ]
    assert strangers == []


def test_only_the_screen_prints() -> None:
    """What others wrote reaches a terminal through one module, which takes it for no markup and no command."""
    printing = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).as_posix() != "cli/screen.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "typer.echo", "typer.secho", "click.echo"}
    ]
    assert printing == []


UNCAGED = {
    ("kbuild/make.py", "process.run"): "the version of a tool",
    ("kbuild/own_programs.py", "make.run"): "programs of the user's own",
    ("kbuild/own_sources.py", "process.run"): "the compiler on the same, to list what they include",
    ("kbuild/programs.py", "make.run"): "our own tests",
}
"""Calls in the packages that handle what a tree brings which need no cage, and why."""


def test_what_a_tree_brings_is_started_in_a_cage_only() -> None:
    loose = {
        (str(path.relative_to(PACKAGE)), call)
        for path, _ in modules()
        if package(path) in ("kbuild", "validate")
        for call, caged in started(path)
        if not caged
    }
    assert loose == set(UNCAGED)


def started(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each call that starts a program, and whether it names a cage."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in STARTERS:
            given = [*node.args[5:6], *(word.value for word in node.keywords if word.arg == "cage")]
            yield name, any(not isinstance(value, ast.Constant) for value in given)


STARTERS = ("process.run", "process.spawn", "process.interact", "make.run")


def test_the_help_loads_none_of_what_the_commands_do() -> None:
    """Every command, each completion of a shell as well, pays for what the command line imports."""
    code = "import sys, orchestrator.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[1] for name in done.stdout.split() if name.startswith("orchestrator.")}
    late = "bisect coverage engine guest kbuild mutation nightly pipeline series site suite trees validate"
    assert loaded & set(late.split()) == set()
    assert set(done.stdout.split()) & {"jinja2", "pydantic", "requests", "yaml"} == set()


def test_the_page_on_architecture_has_this_order() -> None:
    """The number of a row stands in its first line; a package below it without one is of the same row."""
    rows: list[list[str]] = []
    for line in (PACKAGE.parent / "docs" / "architecture.md").read_text().splitlines():
        if found := re.fullmatch(r"\| (\d*) ?\| ((?:`[\w./]+`,? ?)+) \| .* \|", line):
            if found[1]:
                rows.append([])
            rows[-1] += [name.removesuffix(".py").strip("/") for name in re.findall(r"`([^`]+)`", found[2])]
        elif rows and line.startswith("## "):
            break
    assert [sorted(row) for row in rows] == [sorted(row) for row in ORDER]
