"""Programs of ours in the cache: what has rotten there is compiled again, and charged to nobody."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.host import compiled
from orchestrator.host.cache import Cache
from orchestrator.host.process import FOREVER


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "seven.c"
    path.write_text("int main(void) { return 7; }\n")
    return path


def ended(program: Path) -> int:
    return subprocess.run([program], check=False).returncode


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[: len(data) // 2], lambda data: data.replace(b"\x07", b"\x08"),
], ids=["emptied", "cut", "turned"])  # fmt: skip
@pytest.mark.parametrize("name", ["seven", "sha256"])
def test_a_program_that_rots_is_made_again(
    name: str, damage: Callable[[bytes], bytes], source: Path, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache")
    program = compiled.built(source, "seven", [], cache, FOREVER)
    assert ended(program) == 7
    rotten = program.with_name(name)
    rotten.write_bytes(damage(rotten.read_bytes()))
    assert compiled.built(source, "seven", [], cache, FOREVER) == program and ended(program) == 7


def test_a_program_that_is_whole_is_not_made_again(source: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    made = compiled.built(source, "seven", [], cache, FOREVER).stat().st_ino
    assert compiled.built(source, "seven", [], cache, FOREVER).stat().st_ino == made


def test_what_is_made_with_other_options_is_another_program(tmp_path: Path) -> None:
    source = tmp_path / "number.c"
    source.write_text("int main(void) { return NUMBER; }\n")
    made = [compiled.built(source, "number", [f"-DNUMBER={n}"], Cache(tmp_path / "cache"), FOREVER) for n in (3, 4)]
    assert [ended(program) for program in made] == [3, 4]
