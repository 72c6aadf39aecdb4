"""Records of ours in JSON, with a digest of themselves: one that rots is none."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.host.cache import digest

_SEAL = "seal"


def sealed(record: dict[str, Any]) -> str:
    """Return the text of a record."""
    return json.dumps({**record, _SEAL: _digest(record)}, indent=1)


def unsealed(text: str) -> dict[str, Any]:
    """Return the record of a text; one of before there were seals is believed. Raises ValueError where it is none."""
    record = json.loads(text)
    if not isinstance(record, dict):
        raise ValueError("no record")
    seal = record.pop(_SEAL, None)
    if seal is not None and seal != _digest(record):
        raise ValueError("the record is not what was written")
    return record


def _digest(record: dict[str, Any]) -> str:
    return digest(json.dumps(record, sort_keys=True))
