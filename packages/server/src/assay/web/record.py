"""What was said, decided and reported about an experiment, as its page shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from assay.access.policy import Role
from assay.analysis import reports
from assay.analysis.schemas import ReportOut
from assay.core.database import ReadSession
from assay.experiments import logbook
from assay.experiments.schemas import EntryOut, ExperimentOut
from assay.web.phrases import Moment, moment

MOST_ENTRIES, MOST_REPORTS = 20, 10
WORDS = {"commented": "Comment", "decided": "Decision"}


@dataclass(frozen=True, slots=True)
class EntryLine:
    """A line of the log."""

    what: str
    actor: str
    at: Moment
    note: str


@dataclass(frozen=True, slots=True)
class ReportLine:
    """A report in a list."""

    id: str
    title: str
    made: Moment
    is_approved: bool


@dataclass(frozen=True, slots=True)
class Record:
    """What an experiment has taught, the newest lines of its log, and its newest reports."""

    learnings: str
    entries: Sequence[EntryLine]
    reports: Sequence[ReportLine]


async def record_of(
    tx: ReadSession, project: str, experiment: ExperimentOut, *, role: Role | None, now: datetime
) -> Record:
    """The record of an experiment; who has no role is told of no report."""
    key = experiment.key
    entries, _ = await logbook.listing(tx, project, key, kind=None, cursor=None, limit=MOST_ENTRIES)
    made: list[ReportOut] = []
    if role is not None:
        made, _ = await reports.listing(tx, project, key, role=role, cursor=None, limit=MOST_REPORTS)
    shown = [
        ReportLine(str(each.id), each.title, moment(each.made_at, now=now), each.approved_at is not None)
        for each in made
    ]
    labels = {arm.key: arm.name or arm.key for arm in experiment.arms}
    return Record(experiment.learnings, [_line(entry, labels, now=now) for entry in entries], shown)


def _line(entry: EntryOut, labels: Mapping[str, str], *, now: datetime) -> EntryLine:
    what = WORDS.get(entry.kind, entry.kind.replace("_", " ").capitalize())
    if (decision := entry.body.get("decision")) is not None:
        arm = entry.body.get("arm")
        what += f": {str(decision).replace('_', ' ')}" + (f" {labels.get(arm, arm)}" if arm else "")
    elif (outcome := entry.body.get("outcome")) is not None:
        what += f": {str(outcome).replace('_', ' ').lower()}"
    return EntryLine(what, entry.actor, moment(entry.at, now=now), entry.note)
