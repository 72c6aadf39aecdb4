"""A record that rots is none."""

from __future__ import annotations

import contextlib

import pytest

from orchestrator.host import seal

RECORD = {"warnings": [["mm/a.c:1", "unused é"]], "objects": 3, "owner": ""}


def test_a_record_comes_back() -> None:
    assert seal.unsealed(seal.sealed(RECORD)) == RECORD
    assert seal.unsealed('{"objects": 3}') == {"objects": 3}


def test_no_bit_of_it_can_turn_unseen() -> None:
    raw = seal.sealed(RECORD).encode()
    for at in range(len(raw) * 8):
        turned = bytearray(raw)
        turned[at // 8] ^= 1 << at % 8
        with contextlib.suppress(ValueError):
            read = seal.unsealed(turned.decode())
            assert {name: read[name] for name in RECORD} == RECORD, turned


def test_what_is_cut_is_none() -> None:
    text = seal.sealed(RECORD)
    for size in range(len(text)):
        with pytest.raises(ValueError):
            seal.unsealed(text[:size])
