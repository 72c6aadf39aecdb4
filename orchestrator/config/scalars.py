"""The kinds of scalar that pipeline.yaml has: times, sizes, dates, names."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError

from orchestrator.errors import UserError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZES = {"K": 2**10, "M": 2**20, "G": 2**30}


def _no_yes_or_no(value: Any) -> Any:
    """Return what stands for a number; YAML makes true of ``yes`` and ``on``, and pydantic 1 of that."""
    if isinstance(value, bool):
        raise ValueError("a number is needed, and not yes or no")
    return value


def _seconds(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("seconds, or text like 90s, 5m is needed")
    if isinstance(value, str) and (match := re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)\s*(ms|s|m|h)", value)):
        return float(match[1]) * _UNITS[match[2]]
    return value


def _bytes(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("bytes, or text like 64M, 1G is needed")
    if isinstance(value, str) and (match := re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)\s*([KMG])", value)):
        return int(float(match[1]) * _SIZES[match[2]])
    return value


def _at_least(least: int, is_what: str, unit: str) -> AfterValidator:
    """Return a check of bytes that refuses less: a number whose unit was left out, more often than not."""

    def checked(value: int) -> int:
        if value < least:
            raise ValueError(f"{value} bytes {is_what}; is it {value}{unit} that is meant?")
        return value

    return AfterValidator(checked)


def _date(value: Any) -> Any:
    """Return the ISO text of a date; YAML makes a date of text that looks like one."""
    try:
        return datetime.date.fromisoformat(str(value)).isoformat()
    except ValueError as error:
        raise ValueError("a date like 2027-01-31 is needed") from error


_PASSWORD = re.compile(r"[\w+.-]+://(?:[^:/@]*:[^@]*@|[^?]*\?(?:.*&)?(?:ssl)?password=)", re.I)
_WEB = re.compile(r"https?://[^/]*@", re.I)


def without_password(value: str) -> str:
    """Return an address. Raises ValueError for one with a password; on the web a name before ``@`` is a token."""
    if _PASSWORD.match(value) or _WEB.match(value):
        raise ValueError("holds a password: it belongs into the environment or a file")
    return value


A_NUMBER = BeforeValidator(_no_yes_or_no)
Integer = Annotated[int, A_NUMBER]
Number = Annotated[float, A_NUMBER]
Address = Annotated[str, AfterValidator(without_password)]
Date = Annotated[str, BeforeValidator(_date), Field(description="ISO date, like 2027-01-31")]
Seconds = Annotated[
    float, BeforeValidator(_seconds), Field(gt=0, allow_inf_nan=False, description="seconds, or text like 90s, 5m, 1h")
]
Bytes = Annotated[int, BeforeValidator(_bytes), Field(gt=0, description="bytes, or text like 64M, 1.5G")]
Memory = Annotated[Bytes, _at_least(_SIZES["M"], "are no memory of a guest", "M")]
"""What QEMU would round down to nothing is refused: it would give as much as it likes then."""
Output = Annotated[Bytes, _at_least(_SIZES["K"], "are no output of a test", "K")]
Kept = Annotated[Bytes, _at_least(_SIZES["M"], "keep nothing", "G")]
"""With less than a kernel or the artifacts of a run take, each of them would be removed at once."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


def seconds(text: str, option: str) -> float:
    """Read a time from the command line: ``90s``, ``5m``, or a number of seconds. Raises UserError."""
    try:
        return TypeAdapter(Seconds).validate_python(text)
    except ValidationError as error:
        raise UserError(f"{option} {text}: a time like 90s or 5m is needed") from error
