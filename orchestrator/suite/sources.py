"""What the sources of guest tests say of each: a sentence, and the place where it stands. Pure but for reading.

The nearest to the test counts: the comment above its function, else the head of its file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.suites import ProgramConfig, Suite
from orchestrator.text import textfile, wording

_CASE = re.compile(r'^\s*CASE\w*\((?P<before>[^;]*?)"(?P<id>[^"\n]{1,200})",\s*(?P<function>\w+)\s*\);', re.M)
_HEAD = re.compile(r"\A(?://[^\n]*\n)*/\*(?P<text>.*?)\*/", re.S)
_COMMENT = re.compile(r"/\*(?P<text>(?:[^*]|\*(?!/))*)\*/\n\Z")
_SENTENCE = re.compile(r"(?P<sentence>.+?[.!?:])(?=\s+[A-Z]|\s*\Z)", re.S)
_MOST = 300


@dataclass(frozen=True)
class Case:
    """What a test is about, in a sentence (may be empty), and where it is: ``zap/dontneed.c:51``."""

    sentence: str
    place: str


def read(directory: Path) -> Mapping[str, Case]:
    """Return what the C files below a folder say of the cases that they register with ``ktap.h``, by id."""
    return {
        name: case
        for path in sorted(directory.rglob("*.c"))
        for name, case in cases(textfile.read(path), str(path.relative_to(directory)))
    }


def of_suite(config: Suite) -> Mapping[str, Case]:
    """Return what is known of the tests of a suite; of a program that lists none its head, or how it is called."""
    if config.kind == "own":
        return read(config.directory)
    return {program.name: _of_program(program) for program in config.programs}


def _of_program(program: ProgramConfig) -> Case:
    file = program.file
    sentence = head_sentence(textfile.read(file)) if file and file.suffix == ".c" and file.is_file() else ""
    return Case(sentence or f"runs {program.run or program.name}", str(file or ""))


def of(test: str, known: Mapping[str, Case]) -> Case | None:
    """Return what is known of a test; what stands behind a dot (a backing, a case of a program) changes nothing."""
    while test not in known and "." in test:
        test = test.rpartition(".")[0]
    return known.get(test)


def cases(text: str, name: str) -> Iterator[tuple[str, Case]]:
    """Yield the cases of one source file. Pure."""
    head = head_sentence(text)
    for match in _CASE.finditer(text):
        start = re.search(rf"^static void {match['function']}\(", text, re.M)
        above = _COMMENT.search(text, max(0, start.start() - 4000), start.start()) if start else None
        at = start.start() if start else match.start("id")
        place = f"{name}:{text.count(chr(10), 0, at) + 1}"
        yield match["id"], Case(_sentence(above["text"]) if above else head, place)


def head_sentence(text: str) -> str:
    """Return the first sentence of the comment that a file begins with; empty without one."""
    match = _HEAD.match(text)
    return _sentence(match["text"]) if match else ""


def _sentence(comment: str) -> str:
    flat = " ".join(line.strip().removeprefix("*").strip() for line in comment.splitlines()).strip()
    match = _SENTENCE.match(flat)
    return wording.cut((match["sentence"] if match else flat).rstrip(":"), _MOST)
