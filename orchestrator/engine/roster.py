"""The workers that are there: what each offers, which are refused or set aside, and whether a job has room on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.engine import offer, order
from orchestrator.engine.order import Fault, Parcel
from orchestrator.errors import InfraError, PipelineError
from orchestrator.model import Verdict
from orchestrator.pipeline.values import Job
from orchestrator.progress import Progress

FAILURES = 3
"""Jobs in a row that may end as faults of the host on one worker; then it is set aside."""


@dataclass
class Member:
    """A worker as the submitter sees it: what it offers, and how many faults of the host came from it in a row."""

    name: str
    address: str
    offers: Mapping[str, float]
    failures: int = 0
    aside: bool = False


@dataclass
class Roster:
    """Who is there. It changes with each look at the scheduler, and with each job that ends."""

    progress: Progress
    members: dict[str, Member] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    def update(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        """Take what a scheduler says of its workers; one of another version is refused, and that is said once."""
        there: dict[str, Member] = {}
        for address, worker in known.items():
            offers = order.offered(worker["resources"])
            if offers:
                there[address] = self.members.get(address) or self._welcome(
                    Member(str(worker["name"]), address, offers)
                )
            elif address not in self.refused:
                self.refused.add(address)
                self.progress.note(_refusal_words(str(worker["name"]), worker["resources"]))
        for address in self.members.keys() - there.keys():
            self.progress.note(f"worker {self.members[address].name} is gone")
        self.members = there

    def _welcome(self, new: Member) -> Member:
        cores, memory = new.offers.get("cores", 0), new.offers.get("memory", 0)
        self.progress.note(f"worker {new.name}: {cores:.0f} cores, {memory / 2**30:.1f} GiB for guests")
        return new

    @property
    def fit(self) -> list[Member]:
        """Those that get jobs."""
        return [member for member in self.members.values() if not member.aside]

    @property
    def addresses(self) -> list[str] | None:
        """The addresses to which jobs may go; None where all may have them."""
        return [member.address for member in self.fit] if len(self.fit) < len(self.members) else None

    def need(self, job: Job) -> dict[str, float]:
        """Return what the guests of a job take here, by resource."""
        return offer.need(job, [member.offers for member in self.fit])

    def refusal(self, job: Job) -> PipelineError | None:
        """Return why a job can run on no worker that is there."""
        if not self.fit:
            return None
        words = offer.lacking(self.need(job), [member.offers for member in self.fit])
        return InfraError(words) if words else None

    def has_room(self, job: Job, taken: Iterable[Mapping[str, float]]) -> bool:
        """Whether a worker has cores for it: what waits at a worker could not go to one that comes late."""
        needs = [need["cores"] for need in taken]
        cores = sum(member.offers.get("cores", 0) for member in self.fit)
        return bool(self.fit) and (sum(needs) + self.need(job)["cores"] <= cores or not needs)

    def sets_aside(self, parcel: Parcel[Any]) -> bool:
        """Count faults of the host by worker; one with too many is set aside, and its last jobs run elsewhere."""
        member = next((one for one in self.members.values() if one.name == parcel.worker), None)
        if member is None:
            return False
        failed = _host_failed(parcel.outcome)
        if member.aside:
            return failed  # it had begun by then
        member.failures = member.failures + 1 if failed else 0
        if member.failures < FAILURES or len(self.fit) == 1:
            return False
        member.aside = True
        self.progress.note(f"worker {member.name} is set aside: {FAILURES} jobs in a row ended as faults of the host")
        return True


def _refusal_words(name: str, resources: Mapping[str, float]) -> str:
    theirs = next((full.rpartition(" ")[0] for full in resources if full.endswith(" cores")), "")
    what = f"runs wpci {theirs}" if theirs else "is no worker of wpci"
    return f"worker {name} {what}, and this is {order.version()}: it gets no job"


def _host_failed(outcome: object) -> bool:
    if isinstance(outcome, Fault):
        return outcome.exit_code == InfraError.exit_code
    return outcome is None or any(done.verdict is Verdict.INFRA for done in order.results(outcome))
