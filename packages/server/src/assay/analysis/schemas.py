"""What the API says about results."""

import uuid
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field

from assay.analysis.document import Document
from assay.analysis.holdout_schemas import BesideOut, HoldoutReadingOut
from assay.analysis.plan import TOP_VALUES
from assay.experiments.design import MAX_METRICS
from assay.experiments.plan import Alpha, Method, Prior
from assay.experiments.schemas import ExperimentOut
from assay.jobs.schemas import TaskOut
from assay.shared.ids import Key
from assay.shared.schema import Incoming, Name, Outgoing, Text

MOST_SEGMENTS = 5
MOST_DAYS = 366


class SegmentRequest(Incoming):
    """A dimension to cut by."""

    key: Name = Field(description="A property of the exposures.")
    top: Annotated[int, Field(ge=1, le=50)] = Field(
        TOP_VALUES, description="How many of the most frequent values stand alone; the rest is `other`."
    )


class ResultRequest(Incoming):
    """What is asked of an analysis beside the plan; nothing asks for the planned reading.

    Whatever departs from the plan is exploratory, and says so; the planned reading stays what it is.
    """

    segments: Annotated[list[SegmentRequest], Field(max_length=MOST_SEGMENTS)] = Field(
        default_factory=list[SegmentRequest]
    )
    strata: Name | None = Field(
        None, description="A dimension within which arms are compared, then averaged (post-stratification)."
    )
    adjusted: bool = Field(
        True, description="Whether what was known before exposure is taken out (CUPED), where metrics say so."
    )
    covariates: Annotated[dict[Key, Key], Field(max_length=MAX_METRICS)] = Field(
        default_factory=dict[str, str],
        description="Metrics, each with the metric whose lookback adjusts it in place of its own.",
    )
    metrics: Annotated[list[Key], Field(min_length=1, max_length=MAX_METRICS)] | None = Field(
        None, description="Only these metrics of the experiment."
    )
    until: Annotated[date, Field(strict=False)] | None = Field(
        None, description="As of the end of this day, in UTC."
    )
    alpha: Alpha | None = Field(None, description="In place of the plan's.")
    method: Method | None = Field(None, description="In place of the plan's.")
    view: Prior | None = Field(
        None, description="Adds a Bayesian view with this prior of the lift beside every claim."
    )

    @property
    def is_plain(self) -> bool:
        """Whether nothing is asked beside the plan."""
        return self == PLAIN


PLAIN = ResultRequest.model_validate({})


class LookOut(Outgoing):
    """Somebody read a result."""

    result: uuid.UUID = Field(description="Task of the analysis.")
    actor: str
    at: datetime = Field(description="When it was first read by this reader.")
    is_exploratory: bool = Field(description="Another reading than the planned one.")
    is_early: bool = Field(description="Before the plan allowed a reading at one fixed end.")


class LooksOut(Outgoing):
    """Who read which result when, newest first, and what looking early does to a fixed plan."""

    items: list[LookOut]
    early: int = Field(
        description="Results of a fixed plan that were opened before its end, each counted once."
    )
    error_rate: float | None = Field(
        description="Chance of a false finding if every such look had counted, in place of the plan's alpha."
    )
    sentence: str | None = Field(description="Null when nobody looked early.")


class LooksPage(LooksOut):
    """A page of looks."""

    next_cursor: str | None = Field(description="Pass as `cursor` for the next page; null on the last.")


class ResultOut(Outgoing):
    """A finished analysis: the run and its document."""

    task: TaskOut
    document: Document


class HoldoutResultOut(ResultOut):
    """A finished analysis of a holdout."""

    holdout: HoldoutReadingOut
    beside: BesideOut


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
    holdout: HoldoutReadingOut | None = Field(default=None, description="Null of an experiment.")
    beside: BesideOut | None = Field(
        default=None, description="What had run under the holdout by then; null of an experiment."
    )


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
