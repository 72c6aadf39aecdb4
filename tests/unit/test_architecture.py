"""The house holds: who may import whom, and who alone may touch what."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "orchestrator"
ROOMS = ("source", "build", "guest", "results")
OUTER = {
    "cli",
    "commands",
    "terminal",
    "job",
    "suite",
    "plan",
    "adhoc",
    "modes",
    "bisection",
    "checks",
    "workspace",
    "doctor",
    "record",
    "session",
    "guests",
    "tally",
    "lanes",
    "prune",
    "history",
    "site",
    "hunting",
    "takeout",
    "catalogue",
    "submission",
}


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


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_the_stage_packages_do_not_import_one_another() -> None:
    found = [
        (str(path), name)
        for path, names in modules()
        if room(path) in ROOMS
        for name in names
        for other in ROOMS
        if other != room(path) and name.startswith(f"orchestrator.{other}")
    ]
    assert found == []


def test_no_room_imports_what_stands_above_it() -> None:
    found = [
        (str(path), name)
        for path, names in modules()
        if room(path) not in OUTER
        for name in names
        if name.startswith("orchestrator.") and name.split(".")[1] in OUTER
    ]
    assert found == []


def test_the_history_knows_values_and_results_only() -> None:
    allowed = {"history", "model", "errors", "cache", "phrases", "results"}
    found = [
        (str(path), name)
        for path, names in modules()
        if room(path) == "history"
        for name in names
        if name.startswith("orchestrator.") and name.split(".")[1] not in allowed
    ]
    assert found == []


def test_the_site_knows_the_history_and_results_only() -> None:
    allowed = {"site", "history", "model", "errors", "cache", "phrases", "results"}
    found = [
        (str(path), name)
        for path, names in modules()
        if room(path) == "site"
        for name in names
        if name.startswith("orchestrator.") and name.split(".")[1] not in allowed
    ]
    assert found == []


def test_each_of_these_has_one_owner() -> None:
    owners = {
        "subprocess": "process/",
        "fabric": "guest/remote.py",
        "paramiko": "guest/remote.py",
        "sqlalchemy": "history/",
        "alembic": "history/",
    }
    found = [
        (str(path), name)
        for path, names in modules()
        for name in names
        if (owner := owners.get(name.split(".")[0])) and not path.relative_to(PACKAGE).as_posix().startswith(owner)
    ]
    assert found == []


def test_only_those_who_fetch_and_those_who_tell_speak_http_and_telling_knows_no_room() -> None:
    speaking = {room(path) for path, names in modules() if any(name.split(".")[0] == "requests" for name in names)}
    assert speaking == {"source", "notify"}
    known = {name.split(".")[1] for path, names in modules() if room(path) == "notify" for name in names if "." in name}
    assert not known & {*ROOMS, *OUTER}


def test_the_four_rooms_are_there() -> None:
    seen = {room(path) for path, _ in modules()}
    assert set(ROOMS) <= seen
