"""What the API takes and gives about segments, layers and holdouts: the parts of a ruleset beside flags."""

from datetime import datetime

from pydantic import Field

from assay.audit.schemas import ChangeOut
from assay.flags.schemas import ETag, Part, Published
from assay.shared.ids import Key
from assay.shared.schema import Incoming, Outgoing, Text

BUCKETING = (
    "`salt` (the key, if left out), `bucketer`, `unit` and `total`, as in the datafile. "
    "Another salt, unit or bucketer shuffles everybody."
)


class PartConfiguration(Incoming):
    """What is served of a part, in the datafile's wire form."""


class PartCreate(Incoming):
    """A new part of an environment."""

    key: Key
    description: Text = ""


class PartUpdate(Incoming):
    """What may change about a part; fields left out stay as they are."""

    description: Text = ""


class PartOut(Outgoing):
    """A part as an environment serves it."""

    key: str
    description: str
    created_at: datetime
    updated_at: datetime
    etag: ETag


class PartState(Outgoing):
    """What an environment serves of a part, and its draft."""

    key: str
    environment: str
    published: Published
    drafted_by: str | None = Field(description="Null when there is no draft beside what is served.")
    drafted_at: datetime | None
    changes: list[ChangeOut] = Field(description="What publishing would change.")
    etag: ETag


class SegmentConfiguration(PartConfiguration):
    """Who is in a segment."""

    unit: str | list[str] | None = Field(
        None, description="Attribute of the members; the targeting key if null."
    )
    include: list[str] = Field(default_factory=list[str])
    exclude: list[str] = Field(default_factory=list[str])
    condition: Part | None = None


class SegmentCreate(PartCreate, SegmentConfiguration):
    """A new segment of an environment."""


class SegmentUpdate(PartUpdate, SegmentConfiguration):
    """Parts of a segment; those left out stay as they are."""


class SegmentOut(PartOut):
    """A segment: the included, less the excluded, and whoever else meets the condition."""

    unit: str | list[str] | None = None
    include: list[str] = Field(default_factory=list[str])
    exclude: list[str] = Field(default_factory=list[str])
    condition: Part | None = None


class SegmentState(PartState):
    """What an environment serves of a segment, and its draft."""

    draft: SegmentConfiguration = Field(description="What the next publication would serve.")


class LayerConfiguration(PartConfiguration):
    """Which experiment may use which units of a layer."""

    bucketing: Part | None = Field(None, description=BUCKETING)
    slices: list[Part] = Field(
        default_factory=list[Part],
        description="`experiment`, `low` and `high`, half-open, in buckets; they never overlap.",
    )


class LayerCreate(PartCreate, LayerConfiguration):
    """A new layer of an environment."""


class LayerUpdate(PartUpdate, LayerConfiguration):
    """Parts of a layer; those left out stay as they are."""


class LayerOut(PartOut):
    """A layer: experiments that exclude one another, as each unit falls in at most one slice."""

    bucketing: Part
    slices: list[Part] = Field(default_factory=list[Part])


class LayerState(PartState):
    """What an environment serves of a layer, and its draft."""

    draft: LayerConfiguration = Field(description="What the next publication would serve.")


class HoldoutConfiguration(PartConfiguration):
    """Which units are kept out of which experiments."""

    bucketing: Part | None = Field(None, description=BUCKETING)
    range: Part | None = Field(
        None, description="`low` and `high` in buckets, and `bounds`; needed. These units are kept out."
    )
    experiments: list[str] | None = Field(None, description="Null for all experiments.")


class HoldoutCreate(PartCreate, HoldoutConfiguration):
    """A new holdout of an environment."""


class HoldoutUpdate(PartUpdate, HoldoutConfiguration):
    """Parts of a holdout; those left out stay as they are."""


class HoldoutOut(PartOut):
    """A holdout: units kept out of experiments."""

    bucketing: Part
    range: Part
    experiments: list[str] | None = None


class HoldoutState(PartState):
    """What an environment serves of a holdout, and its draft."""

    draft: HoldoutConfiguration = Field(description="What the next publication would serve.")
