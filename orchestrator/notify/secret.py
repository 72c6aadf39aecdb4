"""Tokens and keys: read where they are needed, and shown nowhere."""

from __future__ import annotations

import os

from orchestrator.config.validation import Secret
from orchestrator.notify.http import NotifyError
from orchestrator.text import textfile


def read(secret: Secret) -> str:
    """Return the secret itself. Raises NotifyError, which names the place and never what is in it."""
    if secret.env is not None:
        value = os.environ.get(secret.env, "").strip()
        place = f"environment variable {secret.env}"
    else:
        assert secret.file is not None
        place = str(secret.file)
        try:
            value = textfile.expanded(secret.file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NotifyError(f"cannot read {place}: {getattr(error, 'strerror', None) or 'not text'}") from None
    if not value:
        raise NotifyError(f"{place} is not set" if secret.env else f"{place} is empty")
    if any(ord(character) < 33 or ord(character) > 126 for character in value):
        raise NotifyError(f"{place} holds characters that no header can carry")
    return value
