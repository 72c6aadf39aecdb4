"""What every model of a YAML file is: frozen, and strict about its keys."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Discriminator


class Strict(BaseModel):
    """A mapping of a YAML file: an unknown key is an error. A number in it is one of ``scalars``: no yes or no."""

    model_config = ConfigDict(frozen=True, extra="forbid")


WORD, KEYS = "(word)", "(keys)"
"""The tags of what may be one word or a mapping: a fault is then one of the form that was written."""


def _form(value: Any) -> str:
    return KEYS if isinstance(value, dict | BaseModel) else WORD


WORD_OR_KEYS = Discriminator(_form)
