"""Where this host gets its packages from: apt's source files, one-line and deb822 (pure, but for the reading).

The formats are those of sources.list(5). Only the mirror is taken over; the suite is the pipeline's.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.errors import UserError

ARCHIVE_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SECURITY = re.compile(r"-security$|/updates$")


@dataclass(frozen=True)
class Entry:
    """One source of packages. ``signed_by`` is a keyring's path, a fingerprint, an inline key, or empty."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""

    @property
    def security(self) -> bool:
        """Whether this is a suite with security updates, which lie on a mirror of their own."""
        return bool(_SECURITY.search(self.suite))


def parse_one_line(text: str) -> tuple[Entry, ...]:
    """Parse a ``sources.list``; lines that are not ``deb`` lines are passed over."""
    pattern = re.compile(
        r"^[ \t]*deb[ \t]+(?:\[(?P<options>[^]]*)\][ \t]+)?(?P<uri>\S+)[ \t]+(?P<suite>\S+)(?P<rest>[^#\n]*)", re.M
    )
    return tuple(
        Entry(m["uri"], m["suite"], tuple(m["rest"].split()), _option(m["options"] or "", "signed-by"))
        for m in pattern.finditer(text)
    )


def _option(options: str, name: str) -> str:
    pairs = (word.partition("=") for word in shlex.split(options))
    return next((value for key, _, value in pairs if key.lower() == name), "")


def parse_deb822(text: str) -> tuple[Entry, ...]:
    """Parse a ``.sources`` file; stanzas that are disabled or hold sources only are passed over."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    stanzas = re.split(r"\n\s*\n", "\n".join(lines))
    return tuple(entry for stanza in stanzas for entry in _entries(_fields(stanza)))


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1].isspace() and name:
            fields[name] += "\n" + line
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _entries(fields: dict[str, str]) -> Iterable[Entry]:
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in {"no", "false", "0"}:
        return
    components = tuple(fields.get("components", "").split())
    for uri in fields.get("uris", "").split():
        for suite in fields.get("suites", "").split():
            yield Entry(uri, suite, components, fields.get("signed-by", ""))


def read(etc: Path) -> tuple[Entry, ...]:
    """Read all sources of a host whose apt configuration lies in ``etc`` (``/etc/apt``)."""
    one_line = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]
    deb822 = sorted((etc / "sources.list.d").glob("*.sources"))
    entries = [
        entry for path in one_line if path.is_file() for entry in parse_one_line(path.read_text(errors="replace"))
    ]
    entries += [entry for path in deb822 for entry in parse_deb822(path.read_text(errors="replace"))]
    return tuple(entries)


def choose(entries: Iterable[Entry], suite: str, codename: str) -> Entry:
    """Return the host's entry whose mirror has ``suite``, with that suite in place of its own.

    ``codename`` is that of the host: a repository of someone else may well use a name of its own for its suite.
    Raises UserError where the host has no fitting entry.
    """
    wanted = Entry("", suite, ())
    names = {suite, codename, "stable", "oldstable", "testing", "unstable", "sid"}
    fitting = [
        entry
        for entry in entries
        if "main" in entry.components
        and entry.security == wanted.security
        and (re.split(r"[-/]", entry.suite)[0] in names or entry.suite == suite)
    ]
    if not fitting:
        kind = "security suite" if wanted.security else "Debian suite"
        raise UserError(f"suite {suite}: this host's apt sources name no {kind} whose mirror could be used")
    best = max(fitting, key=lambda entry: _fitness(entry, suite))
    return Entry(best.uri, suite, ("main",), best.signed_by or _default_keyring())


def _fitness(entry: Entry, suite: str) -> tuple[bool, bool, bool]:
    return entry.suite == suite, "debian" in urlsplit(entry.uri).path, "debian" in entry.signed_by


def _default_keyring() -> str:
    return str(ARCHIVE_KEYRING) if ARCHIVE_KEYRING.exists() else ""


def stanza(entry: Entry) -> str:
    """Return the entry as a deb822 stanza. ``Trusted`` is never taken over: signatures are checked."""
    signed = f"Signed-By: {entry.signed_by}\n" if entry.signed_by else ""
    components = f"Components: {' '.join(entry.components)}\n" if entry.components else ""
    return f"Types: deb\nURIs: {entry.uri}\nSuites: {entry.suite}\n{components}{signed}"
