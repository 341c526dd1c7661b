"""What the API takes and gives about flags."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from assay.audit.schemas import ChangeOut
from assay.shared.ids import Key
from assay.shared.schema import Incoming, Name, Outgoing, Text

MOST_TAGS = 50

Tag = Annotated[Name, Field(max_length=64)]
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS)]
Owner = Annotated[Text, Field(max_length=200)]
Type = Literal["boolean", "string", "integer", "float", "json"]
Part = dict[str, JsonValue]
ETag = Annotated[str, Field(description="Version to send back as `If-Match`.")]


class FlagCreate(Incoming):
    """A new flag; every environment begins with it disabled and unpublished."""

    key: Key
    type: Type = "boolean"
    variants: Part = Field(
        default_factory=dict[str, JsonValue],
        description="Values by name; a boolean flag may leave them out and gets `on` and `off`.",
    )
    description: Text = ""
    owner: Owner = ""
    tags: Tags = Field(default_factory=list[str])
    metadata: Part = Field(
        default_factory=dict[str, JsonValue], description="Flat values handed to clients with each answer."
    )


class FlagUpdate(Incoming):
    """What may change about a flag; environments serve new variants once they publish."""

    variants: Part | None = None
    description: Text | None = None
    owner: Owner | None = None
    tags: Tags | None = None
    metadata: Part | None = None


class FlagOut(Outgoing):
    """A flag."""

    key: str
    type: Type
    variants: Part
    description: str
    owner: str
    tags: list[str]
    metadata: Part
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime
    etag: ETag


class Configuration(Incoming):
    """What one environment decides about a flag, in the datafile's wire form."""

    enabled: bool = True
    rules: list[Part] = Field(
        default_factory=list[Part], description="The first rule that serves something decides."
    )
    fallthrough: Part | None = Field(
        None, description="What everyone else is served; null: the code's default."
    )
    off: str | None = Field(None, description="Variant while disabled; null: the code's default.")


class Published(Outgoing):
    """What an environment serves of a flag."""

    number: int = Field(description="Counts the flag's revisions in this environment.")
    environment_revision: int
    document: Part = Field(description="The flag as it stands in the datafile.")
    action: str
    actor: str
    note: str
    at: datetime


class StateOut(Outgoing):
    """A flag in an environment."""

    flag: str
    environment: str
    published: Published | None = Field(description="Null while the environment has never served the flag.")
    draft: Configuration = Field(description="What the next publication would serve.")
    drafted_by: str | None = Field(description="Null when there is no draft beside what is served.")
    drafted_at: datetime | None
    changes: list[ChangeOut] = Field(description="What publishing would change.")
    etag: ETag


class PublishRequest(Incoming):
    """Why something is published or switched."""

    note: Text = ""


class RevertRequest(Incoming):
    """Which revision to serve again."""

    revision: Annotated[int, Field(ge=1)]
    note: Text = ""


class DraftCopy(Incoming):
    """Where a draft is taken from."""

    environment: Key


class CloneRequest(Incoming):
    """From where to take over what is served."""

    environment: Key = Field(description="Key of the environment to copy from.")
    flags: list[Key] | None = Field(None, description="Only these flags; null for all.")
    note: Text = ""


class RulesetPublished(Outgoing):
    """What a change of many flags at once has done."""

    revision: int = Field(description="The environment's revision now.")
    changed: int = Field(description="How many flags, segments, layers and holdouts are new or different.")


class VariantCount(Outgoing):
    """How often a variant was served."""

    variant: str = Field(description="Empty when the code's default applied.")
    count: int


class StalenessOut(Outgoing):
    """Whether a flag can be removed from the code."""

    key: str
    published: bool
    last_evaluated_at: datetime | None = Field(description="Null when it never was.")
    last_changed_at: datetime
    only_variant: str | None = Field(
        description="The one variant this environment can serve; null if several or the code's default."
    )
    served: list[VariantCount]
    stale: bool
    reasons: list[str]


class ExplainRequest(Incoming):
    """Who asks."""

    context: Part = Field(default_factory=dict[str, JsonValue])
    draft: bool = Field(default=False, description="Ask the draft instead of what is served.")


class ExplanationStep(Outgoing):
    """One thing looked at."""

    text: str
    holds: bool | None = Field(description="Null: it cannot be known from this context.")
    parts: list["ExplanationStep"]


class ExplanationOut(Outgoing):
    """An answer and why it is so."""

    flag: str
    value: JsonValue
    variant: str | None
    reason: str
    rule: str | None
    experiment: str | None
    is_exposure: bool
    error_code: str | None
    error_message: str | None
    steps: list[ExplanationStep]
