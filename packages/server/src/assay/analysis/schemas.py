"""What the API says about results."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from assay.analysis.document import Document
from assay.experiments.schemas import ExperimentOut
from assay.jobs.schemas import TaskOut
from assay.shared.schema import Incoming, Name, Outgoing, Text

MOST_DAYS = 366


class ResultOut(Outgoing):
    """A finished analysis: the run and its document."""

    task: TaskOut
    document: Document


class RecordOut(Outgoing):
    """What a document was concluded from; `assay results export` makes a bundle of both."""

    structure: dict[str, Any] = Field(description="The plan and what was collected; arrays by their place.")
    numbers: str = Field(description="All arrays, one after another: base64 of little-endian float64.")


class ReportRequest(Incoming):
    """A finished result that shall be kept as it is."""

    result: Annotated[uuid.UUID, Field(strict=False)] = Field(description="Task of the finished analysis.")
    title: Name
    note: Text = ""


class ReportOut(Outgoing):
    """A frozen result; only its approval is added later."""

    id: uuid.UUID
    result: uuid.UUID = Field(description="Task of the analysis it was made from.")
    title: str
    note: str
    made_by: str
    made_at: datetime
    approved_by: str | None
    approved_at: datetime | None


class Subject(Outgoing):
    """What a report is about, as it was then."""

    experiment: ExperimentOut
    task: TaskOut


class FrozenReportOut(Outgoing):
    """A report, the document it freezes, and what it is about."""

    report: ReportOut
    document: Document
    subject: Subject | None = Field(
        default=None, description="The experiment and the run as they were; null in reports of old versions."
    )


class ShareRequest(Incoming):
    """A link that lets whoever has it read one approved report."""

    name: Name = Field(description="Who gets it; to know later which to revoke.")
    days: int = Field(30, ge=1, le=MOST_DAYS, description="How long it works.")


class ShareLinkOut(Outgoing):
    """A share link, without its token."""

    id: uuid.UUID
    name: str
    prefix: str = Field(description="How the token begins.")
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class ShareLinkMade(ShareLinkOut):
    """A share link with its token, which is shown this once."""

    token: str = Field(description="Keep it now: it cannot be shown again.")
    path: str = Field(description="Where the report is read, on this server.")
