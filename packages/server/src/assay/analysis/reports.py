"""Reports: finished analyses frozen under a title, for those who decide and those who look back."""

import json
import uuid

from assay.access.policy import Role, sees_report
from assay.analysis import holdouts, repository
from assay.analysis.document import Document
from assay.analysis.errors import NoRecord, ReportNotFound
from assay.analysis.models import Report
from assay.analysis.schemas import FrozenReportOut, RecordOut, ReportOut, ReportRequest, Subject
from assay.audit import service as audit
from assay.core.database import ReadSession, WriteSession
from assay.experiments import service as experiments
from assay.experiments.errors import UnknownResult
from assay.experiments.holdouts import FromHoldout
from assay.flags.rewriting import By
from assay.jobs import service as jobs
from assay.jobs.errors import NotFinished, TaskFailed, TaskNotFound
from assay.projects import service as projects
from assay.shared import pagination


async def create(
    tx: WriteSession, project: str, experiment: str, wanted: ReportRequest, *, by: By
) -> ReportOut:
    """A new report of a finished analysis; what it says never changes.

    Raises:
        UnknownResult: The experiment has no such finished result.
    """
    identifier = await experiments.identify(tx, project, experiment)
    try:
        found = await jobs.result(tx, wanted.result, subject=str(identifier))
    except (TaskNotFound, NotFinished, TaskFailed) as error:
        raise UnknownResult(
            f"experiment {experiment!r} has no finished result {wanted.result}: {error.message}",
            value=str(wanted.result),
        ) from error
    subject = await _subject(tx, project, experiment, wanted.result)
    values = {
        **wanted.model_dump(),
        "experiment_id": identifier,
        # Before there were records the document was all that was kept.
        "document": found.get("document", found),
        "record": found.get("record"),
        "subject": subject.model_dump(mode="json"),
        "made_by": by.actor,
        "made_at": by.at,
    }
    made = ReportOut.model_validate(await repository.insert_report(tx, values))
    await note(tx, project, experiment, "created", before=None, after=made, by=by)
    return made


async def _subject(tx: ReadSession, project: str, experiment: str, result: uuid.UUID) -> Subject:
    found = await experiments.get(tx, project, experiment)
    is_holdout = isinstance(found.assignments, FromHoldout)
    return Subject(
        experiment=found,
        task=await jobs.poll(tx, result),
        holdout=await holdouts.reading_out(tx, project, found) if is_holdout else None,
        beside=await holdouts.beside(tx, project, found) if is_holdout else None,
    )


async def listing(
    tx: ReadSession, project: str, experiment: str, *, role: Role, cursor: str | None, limit: int
) -> tuple[list[ReportOut], str | None]:
    """A page of the reports of an experiment that a role sees, newest first, and the cursor of the next."""
    identifier = await experiments.identify(tx, project, experiment)
    only_approved = not sees_report(role, is_approved=False)
    rows = await repository.reports(tx, identifier, only_approved=only_approved, cursor=cursor, limit=limit)
    rows, following = pagination.split(rows, limit=limit)
    return [ReportOut.model_validate(row) for row in rows], following


async def get(
    tx: ReadSession, project: str, experiment: str, report: uuid.UUID, *, role: Role
) -> FrozenReportOut:
    """A report with its document.

    Raises:
        ReportNotFound: The experiment has no such report that this role sees.
    """
    return frozen(await seen(tx, project, experiment, report, role=role))


async def record(
    tx: ReadSession, project: str, experiment: str, report: uuid.UUID, *, role: Role
) -> RecordOut:
    """What the document of a report was concluded from.

    Raises:
        ReportNotFound: The experiment has no such report that this role sees.
        NoRecord: The analysis was computed by a version that kept none.
    """
    row = await seen(tx, project, experiment, report, role=role)
    if row.record is None:
        raise NoRecord(f"report {report} kept no record; report a new analysis", value=str(report))
    return RecordOut.model_validate(row.record)


async def approve(tx: WriteSession, project: str, experiment: str, report: uuid.UUID, *, by: By) -> ReportOut:
    """The approved report; approved before, it keeps its first approval.

    Raises:
        ReportNotFound: The experiment has no such report.
    """
    role = Role.ADMIN
    before = ReportOut.model_validate(await seen(tx, project, experiment, report, role=role))
    if not await repository.approve(tx, report, actor=by.actor, at=by.at):
        return ReportOut.model_validate(await seen(tx, project, experiment, report, role=role))
    after = ReportOut.model_validate(await seen(tx, project, experiment, report, role=role))
    await note(tx, project, experiment, "approved", before=before, after=after, by=by)
    return after


async def seen(tx: ReadSession, project: str, experiment: str, report: uuid.UUID, *, role: Role) -> Report:
    """The row of a report.

    Raises:
        ReportNotFound: The experiment has no such report that this role sees.
    """
    identifier = await experiments.identify(tx, project, experiment)
    found = await repository.report(tx, identifier, report)
    if found is None or not sees_report(role, is_approved=found.approved_at is not None):
        raise ReportNotFound(f"experiment {experiment!r} has no report {report}", value=str(report))
    return found


def frozen(row: Report) -> FrozenReportOut:
    """A report as it is shown."""
    # By way of JSON, where a plan's own strict types know their dates and words again.
    subject = None if row.subject is None else Subject.model_validate_json(json.dumps(row.subject))
    return FrozenReportOut(
        report=ReportOut.model_validate(row), document=Document.model_validate(row.document), subject=subject
    )


async def note(
    tx: WriteSession,
    project: str,
    experiment: str,
    action: str,
    *,
    before: ReportOut | None,
    after: ReportOut,
    by: By,
) -> None:
    """Writes what happened to a report into the project's change log."""
    await audit.record(
        tx,
        project_id=(await projects.get(tx, project)).id,
        actor=by.actor,
        action=f"report.{action}",
        subject=f"experiments/{experiment}/reports/{after.id}",
        before=None if before is None else before.model_dump(mode="json"),
        after=after.model_dump(mode="json"),
        at=by.at,
        note=by.note,
    )
