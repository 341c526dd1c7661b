"""What the API says about results."""

from assay.analysis.document import Document
from assay.jobs.schemas import TaskOut
from assay.shared.schema import Outgoing


class ResultOut(Outgoing):
    """A finished analysis: the run and its document."""

    task: TaskOut
    document: Document
