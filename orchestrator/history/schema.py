"""The tables. A change here needs a module in ``migrations/versions``; a test compares the two."""

from __future__ import annotations

import enum
from typing import Any, ClassVar

from sqlalchemy import JSON, Dialect, ForeignKey, Index, MetaData, String, Text, TypeDecorator
from sqlalchemy import Enum as EnumColumn
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from orchestrator.model import Side, Stage, Status, Verdict


def _clean(text: str) -> str:
    """Replace what no database takes: NUL, lone surrogates."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


class CleanText(TypeDecorator[str]):
    """Text as a console holds it; with ``limit``, cut at that many characters, for an index takes no more."""

    impl = Text
    cache_ok = True

    def __init__(self, limit: int | None = None) -> None:
        super().__init__()
        self.limit = limit

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what is stored."""
        del dialect
        return None if value is None else _clean(value)[: self.limit]


class Lines(TypeDecorator[list[str]]):
    """Lines of text, as JSON."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> list[str] | None:
        """Return what is stored."""
        del dialect
        return None if value is None else [_clean(line) for line in value]


KEY = CleanText(255)
"""Text that is searched for."""


def _words(kind: type[enum.Enum]) -> EnumColumn:
    """Return the column type of an enum: its value as text, so that a new member needs no migration."""
    return EnumColumn(
        kind, values_callable=lambda members: [m.value for m in members], native_enum=False, length=16
    )  # fmt: skip


class Base(DeclarativeBase):
    """What all tables share: names of constraints that a migration can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        str: CleanText(),
        Verdict: _words(Verdict),
        Status: _words(Status),
        Stage: _words(Stage),
        Side: _words(Side),
        list[str]: Lines(),
    }


def _owner(table: str) -> Mapped[Any]:
    return mapped_column(ForeignKey(f"{table}.id", ondelete="CASCADE"), index=True)


class RunRow(Base):
    """One run. ``started`` is ISO 8601 in UTC, so it sorts as text."""

    __tablename__ = "runs"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    mode: Mapped[str]
    started: Mapped[str] = mapped_column(String(40), index=True)
    seconds: Mapped[float]
    verdict: Mapped[Verdict]
    exit_code: Mapped[int]
    directory: Mapped[str]
    missing: Mapped[list[str]]
    notes: Mapped[list[str]]
    jobs: Mapped[list[JobRow]] = relationship(order_by="JobRow.ordinal", back_populates="run")
    series: Mapped[list[SeriesRow]] = relationship(order_by="SeriesRow.ordinal")
    checks: Mapped[list[CheckRow]] = relationship(order_by="CheckRow.ordinal")


class SeriesRow(Base):
    """The judgement of a series on one tree and variant."""

    __tablename__ = "series"
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = _owner("runs")
    ordinal: Mapped[int]
    tree: Mapped[str]
    series: Mapped[str]
    variant: Mapped[str]
    verdict: Mapped[Verdict]
    reason: Mapped[str]


class CheckRow(Base):
    """A check of a run that needs no guest; since version 3. Paths below the folder of the run are relative to it."""

    __tablename__ = "checks"
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = _owner("runs")
    ordinal: Mapped[int]
    name: Mapped[str]
    subject: Mapped[str]
    verdict: Mapped[Verdict]
    message: Mapped[str]
    seconds: Mapped[float]
    details: Mapped[list[str]]
    log: Mapped[str | None]


class IdentityRow(Base):
    """What results depend on. ``setting`` is one digest over what must agree for two results to compare.

    ``sandbox`` is since version 6, ``host`` since version 7.
    """

    __tablename__ = "identities"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    setting: Mapped[str] = mapped_column(String(64), index=True)
    tree: Mapped[str]
    series: Mapped[str | None]
    config: Mapped[str]
    toolchain: Mapped[str]
    kernel: Mapped[str]
    accel: Mapped[str]
    cpu: Mapped[str]
    qemu: Mapped[str]
    machine: Mapped[str]
    rootfs: Mapped[str]
    sandbox: Mapped[str] = mapped_column(server_default="")
    host: Mapped[str] = mapped_column(server_default="")


class JobRow(Base):
    """One kernel of a run. Paths below the folder of the run are relative to it.

    ``commit`` is what was built, ``base`` the commit of the source before any series; both since version 2.
    ``requested`` are globs over the tests that were to run; since version 4, under the name that the column had then.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_name_run_id", "name", "run_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = _owner("runs")
    identity_id: Mapped[int | None] = mapped_column(ForeignKey("identities.id"), index=True)
    ordinal: Mapped[int]
    name: Mapped[str] = mapped_column(KEY)
    tree: Mapped[str]
    series: Mapped[str | None]
    variant: Mapped[str]
    side: Mapped[Side]
    verdict: Mapped[Verdict]
    reason: Mapped[str]
    directory: Mapped[str]
    release: Mapped[str | None]
    config: Mapped[str | None]
    commit: Mapped[str | None]
    base: Mapped[str | None]
    requested: Mapped[list[str] | None] = mapped_column("asked")
    run: Mapped[RunRow] = relationship(back_populates="jobs")
    identity: Mapped[IdentityRow | None] = relationship(lazy="joined")
    stages: Mapped[list[StageRow]] = relationship(order_by="StageRow.ordinal")
    suites: Mapped[list[SuiteRow]] = relationship(order_by="SuiteRow.ordinal")
    outcomes: Mapped[list[OutcomeRow]] = relationship(order_by="OutcomeRow.id", back_populates="job")
    splats: Mapped[list[SplatRow]] = relationship(order_by="SplatRow.id", back_populates="job")


class StageRow(Base):
    """How a stage of a job went."""

    __tablename__ = "stages"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = _owner("jobs")
    ordinal: Mapped[int]
    stage: Mapped[Stage]
    verdict: Mapped[Verdict]
    seconds: Mapped[float]
    message: Mapped[str]
    log: Mapped[str | None]
    reused: Mapped[bool]


class SuiteRow(Base):
    """How long a suite ran in a job, and what was wrong with its output."""

    __tablename__ = "suites"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = _owner("jobs")
    ordinal: Mapped[int]
    name: Mapped[str]
    seconds: Mapped[float]
    problems: Mapped[list[str]]


class OutcomeRow(Base):
    """One test of a job. ``status`` is that of its last try; ``earlier`` holds those of the tries before it.

    ``program`` is the one of its suite that it belongs to, empty where the tests are those of our own programs;
    ``number`` that of the line of a case whose name is a text, else 0; both since version 8.
    """

    __tablename__ = "outcomes"
    __table_args__ = (Index("ix_outcomes_suite_test", "suite", "test"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = _owner("jobs")
    suite: Mapped[str] = mapped_column(KEY)
    test: Mapped[str] = mapped_column(KEY)
    status: Mapped[Status]
    earlier: Mapped[list[str]]
    reason: Mapped[str]
    seconds: Mapped[float | None]
    program: Mapped[str]
    number: Mapped[int]
    job: Mapped[JobRow] = relationship(back_populates="outcomes")


class SplatRow(Base):
    """One complaint of the kernel."""

    __tablename__ = "splats"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = _owner("jobs")
    kind: Mapped[str]
    title: Mapped[str] = mapped_column(KEY, index=True)
    first_line: Mapped[int]
    last_line: Mapped[int]
    text: Mapped[str]
    fatal: Mapped[bool]
    test: Mapped[str | None]
    allowed_by: Mapped[str | None]
    console: Mapped[str | None]
    other_titles: Mapped[list[str] | None]
    job: Mapped[JobRow] = relationship(back_populates="splats")
