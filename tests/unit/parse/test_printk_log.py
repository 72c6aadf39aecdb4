"""Whose a line is by the lines before it."""

from __future__ import annotations

import json

from orchestrator.parse import printk_log
from orchestrator.parse.printk import Origin
from tests.unit.parse.test_printk import BUG


def test_a_record_in_json_among_plain_lines_is_a_programs() -> None:
    own = json.dumps({"level": "error", "msg": BUG})
    relayed = json.dumps({"log": f"[   12.345678] {BUG}"})
    plain = ["Starting the service", "Starting another", "", "[   T77] x"]
    for before, line, origin in (
        (plain, own, Origin.USER),
        (plain, relayed, Origin.KERNEL),
        (["[    1.000000] x", "[    2.000000] y"], own, Origin.USER),
        ([], own, Origin.UNKNOWN),
        (["a header", own, own, own], own, Origin.UNKNOWN),
        (["{", '   "dmesg": [', "      {", '         "pri": "4",', '         "time": 1,'], own, Origin.UNKNOWN),
    ):
        log = printk_log.Log()
        assert [log.take(each).origin for each in (*before, line)][-1] is origin, (before, line)


def test_a_line_without_a_stamp_is_in_doubt_where_the_kernel_stamps_its_lines() -> None:
    log = printk_log.Log()
    lines = [BUG, "[    0.000000] Linux version 6.12", BUG, f"[    1.000000] {BUG}"]
    origins = [Origin.UNKNOWN, Origin.KERNEL, Origin.DOUBTFUL, Origin.KERNEL]
    assert [log.take(line).origin for line in lines] == origins


def test_a_banner_without_a_stamp_shows_that_the_kernel_has_none() -> None:
    log = printk_log.Log()
    lines = ["Linux version 6.12", "[    1.000000] a program", BUG]
    assert [log.take(line).origin for line in lines] == [Origin.UNKNOWN, Origin.KERNEL, Origin.UNKNOWN]


def test_a_record_that_two_consoles_write_to_one_port_is_one() -> None:
    lines = ["[    0.000000] Linux version 6.12", "[    0.000000] Command line: x", f"[    1.000000] {BUG}", f"{BUG}"]
    log = printk_log.Log()
    doubled = [log.take(line).origin for line in lines for _ in range(2)]
    assert doubled == [*[Origin.KERNEL, Origin.USER] * 3, *[Origin.DOUBTFUL] * 2]
    assert log.take("[    1.000001][  T1] x").origin is log.take("[    1.000001][  T2] x").origin is Origin.KERNEL
