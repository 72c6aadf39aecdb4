"""Whether another version of the program says the same of the same: saved consoles and outputs, and results of runs.

    python tests/same.py commands BEFORE/.venv/bin/wpci .venv/bin/wpci tests/samples/console/*
    python tests/same.py results one/result.json other/result.json

Differences are printed by where they are, each kind of place once with how often it is there, and the first of them.
Exit code 1 where there are any. Times, folders and the name of the run differ always, and are left out.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_LEFT_OUT = {"seconds", "host_key", "started", "directory", "run", "log", "console", "files", "logs"}
"""Keys whose values are times, places, or keys that each run makes for itself."""
_PATH = re.compile(r"(?:/[\w.@+-]+){2,}")
_COMMANDS = ("parse", "scan")


def differences(before: Any, after: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield where two values differ, with numbers of a list as ``[]``, and how."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys(), key=str):
            place = f"{where}.{key}"
            if key in _LEFT_OUT:
                continue
            if key not in before or key not in after:
                yield place, "is new" if key in after else "is gone"
            else:
                yield from differences(before[key], after[key], place)
    elif isinstance(before, list) and isinstance(after, list):
        old, new = _by_name(before), _by_name(after)
        yield from ((f"{where}[]", f"{old[key]!r} is gone") for key in old if key not in new)
        yield from ((f"{where}[]", f"{new[key]!r} is new") for key in new if key not in old)
        for key in old.keys() & new.keys():
            yield from differences(old[key], new[key], f"{where}[]")
    elif _without_paths(before) != _without_paths(after):
        yield where, f"{before!r} → {after!r}"


def _by_name(values: Sequence[Any]) -> dict[Any, Any]:
    """Return the values of a list by what they are called: a test by its name, a splat by its line."""
    keys = [(value.get("name"), value.get("first_line")) if isinstance(value, dict) else None for value in values]
    return dict(zip(keys if len(set(keys)) == len(keys) else range(len(values)), values, strict=True))


def _without_paths(value: Any) -> Any:
    return _PATH.sub("PATH", value) if isinstance(value, str) else value


def _output(wpci: str, command: str, file: str) -> Any:
    """Return what a command says of a file: its values, or the line in which it refuses it."""
    done = subprocess.run([wpci, command, file, "--json"], capture_output=True, text=True, check=False)
    try:
        return {"exit code": done.returncode, "values": json.loads(done.stdout)}
    except ValueError:
        return {"exit code": done.returncode, "message": done.stderr.strip()}


def _of_commands(before: str, after: str, files: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    todo = [(command, file) for file in files for command in _COMMANDS]
    with ThreadPoolExecutor(2) as pool:
        old = pool.map(lambda one: _output(before, *one), todo)
        new = pool.map(lambda one: _output(after, *one), todo)
        for (command, file), was, now in zip(todo, old, new, strict=True):
            for where, how in differences(was, now):
                yield f"{command} {where}", Path(file).name, how


def _of_results(before: str, after: str) -> Iterator[tuple[str, str, str]]:
    for where, how in differences(*(json.loads(Path(file).read_text()) for file in (before, after))):
        yield where, Path(after).parent.name, how


def main(kind: str, before: str, after: str, *files: str) -> int:
    """Print the differences by place, and return the exit code."""
    if kind == "results" and files:
        raise SystemExit(f"two results are compared, and not {2 + len(files)}")
    every = list(_of_commands(before, after, files) if kind == "commands" else _of_results(before, after))
    for place in dict.fromkeys(place for place, _, _ in every):
        there = [(file, how) for where, file, how in every if where == place]
        print(f"{place}: {len(there)} in {len({file for file, _ in there})} files")
        for file, how in there[: 200 if "--all" in files else 3]:
            print(f"    {file}: {how[:400]}")
    print(f"{len(every)} differences")
    return 1 if every else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
