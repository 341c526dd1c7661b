"""Links that let whoever has one read one approved report, until they expire or are revoked."""

import hmac
import uuid
from datetime import datetime, timedelta

from assay.access.keys import LINK, LONGEST_TOKEN, digest, mint, shown
from assay.access.policy import Role, sees_report
from assay.analysis import reports, repository
from assay.analysis.errors import NoSubject, NotApproved, ShareLinkNotFound
from assay.analysis.models import ShareLink
from assay.analysis.schemas import FrozenReportOut, ShareLinkOut, ShareRequest
from assay.audit import service as audit
from assay.core.database import ReadSession, WriteSession
from assay.flags.rewriting import By
from assay.projects import service as projects
from assay.shared import pagination


async def create(
    tx: WriteSession, project: str, experiment: str, report: uuid.UUID, wanted: ShareRequest, *, by: By
) -> tuple[ShareLinkOut, str]:
    """A link and its token, which is kept nowhere.

    Raises:
        ReportNotFound: The experiment has no such report.
        NotApproved: The report waits for its approval.
        NoSubject: The report cannot be shown by itself.
    """
    row = await reports.seen(tx, project, experiment, report, role=Role.ADMIN)
    if not sees_report(Role.VIEWER, is_approved=row.approved_at is not None):
        raise NotApproved(f"report {report} is not approved; approve it before sharing it", value=str(report))
    if row.subject is None:
        raise NoSubject(f"report {report} kept no experiment; report its result again", value=str(report))
    token = mint(LINK)
    values = {
        "report_id": report,
        "name": wanted.name,
        "prefix": shown(token),
        "digest": digest(token),
        "made_by": by.actor,
        "made_at": by.at,
        "expires_at": by.at + timedelta(days=wanted.days),
    }
    made = ShareLinkOut.model_validate(await repository.insert_link(tx, values))
    await _note(tx, project, experiment, report, "shared", None, made, by=by)
    return made, token


async def listing(
    tx: ReadSession, project: str, experiment: str, report: uuid.UUID, *, cursor: str | None, limit: int
) -> tuple[list[ShareLinkOut], str | None]:
    """A page of a report's links, newest first, and the cursor of the next."""
    await reports.seen(tx, project, experiment, report, role=Role.ADMIN)
    rows = await repository.links(tx, report, cursor=cursor, limit=limit)
    rows, following = pagination.split(rows, limit=limit)
    return [ShareLinkOut.model_validate(row) for row in rows], following


async def revoke(
    tx: WriteSession, project: str, experiment: str, report: uuid.UUID, link: uuid.UUID, *, by: By
) -> None:
    """Makes a link open nothing, from the next request on.

    Raises:
        ShareLinkNotFound: The report has no such link.
    """
    await reports.seen(tx, project, experiment, report, role=Role.ADMIN)
    gone = await repository.revoke_link(tx, report, link, at=by.at)
    if gone is None:
        raise ShareLinkNotFound(f"report {report} has no link {link}", value=str(link))
    if gone.revoked_at == by.at:
        before = ShareLinkOut.model_validate(gone)
        await _note(tx, project, experiment, report, "unshared", before, None, by=by)


async def opened(tx: ReadSession, token: str, *, now: datetime) -> FrozenReportOut:
    """The report that a token opens.

    Raises:
        ShareLinkNotFound: It opens nothing: unknown, revoked, expired, or not approved.
    """
    presented = digest(token[: LONGEST_TOKEN + 1])
    found = await repository.opened(tx, presented)
    if found is None or not _is_open(found[0], presented, now=now):
        raise ShareLinkNotFound("this link opens nothing: it was revoked, has expired, or never existed")
    report = reports.frozen(found[1])
    if not sees_report(Role.VIEWER, is_approved=report.report.approved_at is not None):
        raise ShareLinkNotFound("this link opens nothing: it was revoked, has expired, or never existed")
    return report


def _is_open(link: ShareLink, presented: bytes, *, now: datetime) -> bool:
    # The index compares hashes, which a caller cannot steer; the verdict takes constant time.
    is_same = hmac.compare_digest(link.digest, presented)
    return is_same and link.revoked_at is None and now < link.expires_at


async def _note(
    tx: WriteSession,
    project: str,
    experiment: str,
    report: uuid.UUID,
    action: str,
    before: ShareLinkOut | None,
    after: ShareLinkOut | None,
    *,
    by: By,
) -> None:
    await audit.record(
        tx,
        project_id=(await projects.get(tx, project)).id,
        actor=by.actor,
        action=f"report.{action}",
        subject=f"experiments/{experiment}/reports/{report}",
        before=None if before is None else before.model_dump(mode="json"),
        after=None if after is None else after.model_dump(mode="json"),
        at=by.at,
        note=by.note,
    )
