"""What the API says about results."""

from typing import Any

from pydantic import Field

from assay.analysis.document import Document
from assay.jobs.schemas import TaskOut
from assay.shared.schema import Outgoing


class ResultOut(Outgoing):
    """A finished analysis: the run and its document."""

    task: TaskOut
    document: Document


class RecordOut(Outgoing):
    """What a document was concluded from; `assay results export` makes a bundle of both."""

    structure: dict[str, Any] = Field(description="The plan and what was collected; arrays by their place.")
    numbers: str = Field(description="All arrays, one after another: base64 of little-endian float64.")
