"""The values that flow from stage to stage. All are frozen; a later fact gets a new type."""

from orchestrator.model.alone import Alone
from orchestrator.model.evidence import Evidence
from orchestrator.model.outcomes import (
    CheckResult,
    JobResult,
    RunResult,
    SeriesResult,
    Splat,
    StageResult,
    SuiteRun,
    TestResult,
    Transition,
)
from orchestrator.model.products import (
    AccelFact,
    Bootable,
    CompilerWarning,
    Identity,
    Kernel,
    Products,
    Programs,
    Rootfs,
    Tree,
)
from orchestrator.model.words import Accel, Side, Stage, Status, Symptom, SymptomKind, Term, Verdict

__all__ = [
    "Accel",
    "AccelFact",
    "Alone",
    "Bootable",
    "CheckResult",
    "CompilerWarning",
    "Evidence",
    "Identity",
    "JobResult",
    "Kernel",
    "Products",
    "Programs",
    "Rootfs",
    "RunResult",
    "SeriesResult",
    "Side",
    "Splat",
    "Stage",
    "StageResult",
    "Status",
    "SuiteRun",
    "Symptom",
    "SymptomKind",
    "Term",
    "TestResult",
    "Transition",
    "Tree",
    "Verdict",
]
