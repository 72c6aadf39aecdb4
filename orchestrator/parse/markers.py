"""The brackets around each test in the kernel's log: ``wpci: begin NAME`` and ``wpci: end NAME``. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MARKER = re.compile(r"wpci: (begin|end) (\S.*?)\s*$")


@dataclass
class Running:
    """Which tests have begun and not ended, while a console is read; the last one is the innermost."""

    names: list[str] = field(default_factory=list)

    def take(self, line: str) -> bool:
        """Take one line; return whether it was a marker."""
        marker = MARKER.search(line)
        if not marker:
            return False
        word, test = marker[1], marker[2]
        if word == "begin":
            self.names.append(test)
        elif test in self.names:
            del self.names[self.names.index(test) :]
        return True

    @property
    def last(self) -> str | None:
        """The test that runs now."""
        return self.names[-1] if self.names else None


def running(console: str) -> str | None:
    """Return the test that ran where a console ends: begun, and not ended. A cut last line is no marker."""
    found = Running()
    for line in console.split("\n")[:-1]:
        found.take(line.rstrip("\r"))
    return found.last


def ended(console: str) -> frozenset[str]:
    """Return the tests whose end stands on a console."""
    markers = (MARKER.search(line.rstrip("\r")) for line in console.split("\n")[:-1])
    return frozenset(marker[2] for marker in markers if marker and marker[1] == "end")
