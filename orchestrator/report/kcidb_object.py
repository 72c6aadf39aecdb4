"""What every object of a KCIDB report has: an id, where it comes from, and text and addresses that the schema takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orchestrator.model import RunResult, Verdict
from orchestrator.text import plain

EXCERPT = 16_000
"""Characters of an excerpt; the schema takes 384 more."""

Object = dict[str, Any]

VERDICTS = {Verdict.PASS: "PASS", Verdict.FAIL: "FAIL", Verdict.SKIP: "SKIP", Verdict.INFRA: "MISS"}
"""What the schema calls a verdict."""


@dataclass(frozen=True)
class Sender:
    """Who reports. ``artifacts`` is the address under which the folder of results is published; None is nowhere."""

    origin: str
    artifacts: str | None = None


@dataclass(frozen=True)
class Objects:
    """The objects of one run: how they are named, and where their files can be had."""

    run: RunResult
    sender: Sender

    def make(self, *parts: str, **fields: Any) -> Object:
        """Return an object with its id; fields that are not known are left out, for none may be null."""
        known = {name: value for name, value in fields.items() if value is not None}
        name = plain.printable(".".join(parts)).replace("\n", " ")
        return {"id": f"{self.sender.origin}:{self.run.run}.{name}", "origin": self.sender.origin, **known}

    def url(self, file: Path) -> str | None:
        """Return where a file of the run can be had, if the results are published at all."""
        if self.sender.artifacts is None or not file.is_relative_to(self.run.directory):
            return None
        inside = quote(str(file.relative_to(self.run.directory)))
        return f"{self.sender.artifacts.rstrip('/')}/{quote(self.run.run)}/{inside}"

    def file(self, file: Path) -> Object | None:
        """Return a file of the run as the schema wants one, if the results are published at all."""
        url = self.url(file)
        return {"name": file.name, "url": url} if url else None


def text(raw: str) -> str:
    """Return text as the schema takes it: short enough, and without control characters."""
    return plain.printable(raw)[:EXCERPT]
