"""SSH keys that live as long as one run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.host import process


@dataclass(frozen=True)
class Keys:
    """``host`` is in dropbear's own format, ``identity`` in OpenSSH's; the public ones are ``type base64``."""

    host: bytes
    host_public: str
    identity: Path
    client_public: str


def make(directory: Path, deadline: process.Deadline) -> Keys:
    """Make the guest's key and ours in a folder that only we can read, or read those that lie there."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    host, client, identity = directory / "host", directory / "client", directory / "identity"
    for path in (host, client):
        if not path.exists():
            process.run(["dropbearkey", "-t", "ed25519", "-f", path], deadline=deadline)
    if not identity.exists():
        process.run(["dropbearconvert", "dropbear", "openssh", client, identity], deadline=deadline)
    return Keys(host.read_bytes(), _public(host, deadline), identity, _public(client, deadline))


def _public(path: Path, deadline: process.Deadline) -> str:
    answer = process.run(["dropbearkey", "-y", "-f", path], deadline=deadline).stdout
    match = re.search(r"^(ssh-ed25519 \S+)", answer, re.MULTILINE)
    if not match:
        raise InfraError(f"dropbearkey shows no public key for {path}")
    return match[1]
