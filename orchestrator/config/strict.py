"""What every model of pipeline.yaml is: frozen, and strict about its keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A mapping of pipeline.yaml: an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
