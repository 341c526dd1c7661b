"""What the API says about results."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from assay.analysis.document import Document
from assay.jobs.schemas import TaskOut
from assay.shared.schema import Incoming, Name, Outgoing, Text


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


class FrozenReportOut(Outgoing):
    """A report and the document it freezes."""

    report: ReportOut
    document: Document
