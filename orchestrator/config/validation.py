"""What pipeline.yaml may say of `wpci validate`: what is checked, and whom to tell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, Tag, model_validator

from orchestrator.config.scalars import Address, Integer, Name, Number
from orchestrator.config.strict import KEYS, WORD, WORD_OR_KEYS, Strict


class Secret(Strict):
    """Where a token or a key is: an environment variable, or a file. Never the secret itself."""

    env: Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")] | None = None
    file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_secret(cls, value: Any) -> Any:
        if isinstance(value, dict | Secret):
            return value
        raise ValueError("a place is needed, {env: NAME} or {file: PATH}, and never the secret itself")

    @model_validator(mode="after")
    def _one_place(self) -> Secret:
        if (self.env is None) == (self.file is None):
            raise ValueError("names either env or file")
        return self


Url = Annotated[Address, Field(pattern=r"^https?://[^/\s]+", max_length=2000)]


class PatchworkNotice(Strict):
    """A check on every patch of the series at a Patchwork server; ``url`` is the server's."""

    kind: Literal["patchwork"]
    url: Url
    token: Secret
    context: Annotated[str, Field(pattern=r"^[-a-zA-Z0-9_]+$", max_length=255)] = "wpci"
    target_url: str | None = None


class GithubNotice(Strict):
    """A status on one commit at GitHub, or at a server that speaks as it does."""

    kind: Literal["github"]
    url: Url = "https://api.github.com"
    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    token: Secret
    context: str = "wpci"
    target_url: str | None = None


class WebhookNotice(Strict):
    """A POST of the outcome as JSON. With ``secret`` the body is signed; ``url`` may be a secret itself."""

    kind: Literal["webhook"]
    url: Annotated[Annotated[Url, Tag(WORD)] | Annotated[Secret, Tag(KEYS)], WORD_OR_KEYS]
    secret: Secret | None = None
    target_url: str | None = None


Notice = Annotated[PatchworkNotice | GithubNotice | WebhookNotice, Field(discriminator="kind")]
"""Whom to tell. ``target_url`` is where the results can be read; ``{run}`` in it stands for the name of the run."""

CheckName = Literal["checkpatch", "compile", "warnings", "sparse", "builds", "suites", "coverage"]

EachPatch = Literal["build", "boot", "test"]
"""How far the kernel after each patch of a series goes."""


class CoverageRule(Strict):
    """How many of a hundred changed lines with code must run; None: those that do not are a remark."""

    at_least: Annotated[Number, Field(ge=0, le=100)] | None = None


class Validation(Strict):
    """What ``wpci validate`` does with a series.

    ``mode`` names what is booted and tested, and first of all its variant is the one that every patch is compiled in;
    ``builds`` are variants that must build and no more. ``skip`` names checks that are not made; ``checkpatch`` is
    the least finding of checkpatch.pl that fails a patch; ``each_patch`` is how far the kernel after each patch goes.
    A test that differs from base to patched, and was not expected to, runs ``retries`` times more on both.
    ``sandbox`` is that of the pipeline, for the code of strangers.
    """

    mode: Name | None = None
    builds: tuple[Name, ...] = ()
    skip: tuple[CheckName, ...] = ()
    each_patch: EachPatch = "build"
    checkpatch: Literal["error", "warning", "check"] = "error"
    retries: Annotated[Integer, Field(ge=0, le=20)] = 2
    coverage: CoverageRule = CoverageRule()
    sandbox: Literal["auto", "required"] = "required"
    notify: tuple[Notice, ...] = ()
