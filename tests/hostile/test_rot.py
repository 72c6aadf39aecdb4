"""Files of the cache and of results that rot: cut, emptied, a bit turned. It is noticed, and charged to no series.

One file of each kind there is, with each kind of damage, in an order drawn by lot; then the series of before runs
again, and another one. An exit code of 3 names what is damaged; every other is that of a sound cache. WPCI_ROTS is
how many are tried, 0 all; WPCI_SEED what they are drawn by.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.test_kills import SEED, Ground

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(6 * 3600)]


def turned(data: bytes) -> bytes:
    at = len(data) // 3
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


ROTS = int(os.environ.get("WPCI_ROTS", "10"))
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "a bit turned": turned,
}
_UNIQUE = re.compile(r"(?<![a-z])[0-9a-f]{2,}(?![a-z])|[0-9a-f]{8,}|\d+|[a-z0-9_]{8}(?=\.|$)")


def kind(path: Path) -> str:
    """Return what a file is, by its path: what names one of many is left out."""
    return _UNIQUE.sub("#", str(path))


def kinds(top: Path) -> dict[str, list[Path]]:
    """Return the files below a folder by kind, without links, locks and what is empty."""
    found: dict[str, list[Path]] = {}
    for path in sorted(top.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size and "locks" not in path.parts:
            found.setdefault(kind(path.relative_to(top.parent)), []).append(path)
    return found


def damage(path: Path, how: str) -> None:
    """Damage a file, whose times stay as they were."""
    status = path.stat()
    data = DAMAGES[how](path.read_bytes())
    path.chmod(0o600)
    path.write_bytes(data)
    path.chmod(status.st_mode & 0o7777)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_what_rots_is_noticed_and_charged_to_no_series(tmp_path: Path) -> None:
    lot = random.Random(SEED)
    ground = Ground(tmp_path)
    ground.turn(0, guilty=False)
    code, output = ground.type("run")
    assert code == 0, output
    found = {**kinds(tmp_path / "cache"), **kinds(tmp_path / "results")}
    trials = list(itertools.product(sorted(found), DAMAGES))
    lot.shuffle(trials)
    wrong: list[str] = []
    for number, (name, how) in enumerate(trials[: ROTS or None], 1):
        shutil.rmtree(tmp_path / "sound", ignore_errors=True)
        subprocess.run(["cp", "-a", tmp_path / "cache", tmp_path / "sound"], check=True)
        there = [path for path in found[name] if path.is_file() and path.stat().st_size]  # none, by an earlier trial
        if not there:
            continue
        path = lot.choice(there)
        damage(path, how)
        outcomes, before = [], len(wrong)
        for guilty in (None, lot.random() < 0.5):
            if guilty is not None:
                ground.another(number, guilty=guilty)
            code, output = ground.type("run")
            verdict = ground.result()["verdict"] if code != 3 else ""
            outcomes.append((code, verdict))
            right = code == int(bool(guilty)) and verdict == ("fail" if guilty else "pass")
            if guilty and right:
                right = "T01" in output and "the build broke" not in output
            if not right and code != 3:
                wrong.append(f"{how}: {path}, guilty {guilty}: {output[-2500:]}")
                print(wrong[-1])
        print(f"{number}: {how}: {path.relative_to(tmp_path)}: {outcomes}", flush=True)
        if any(code not in {0, 1} for code, _ in outcomes) or len(wrong) > before:
            print(output[-1500:])
            shutil.rmtree(tmp_path / "cache")
            (tmp_path / "sound").rename(tmp_path / "cache")
        ground.another(0, guilty=False)
    assert not wrong, f"{len(wrong)} wrong\n" + "\n".join(wrong[:5])
