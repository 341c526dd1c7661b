"""What the routes of flags have in common."""

from datetime import datetime
from typing import Annotated

from fastapi import Header, Path

from assay.audit.service import LOCAL_ACTOR
from assay.flags.repository import By
from assay.shared.ids import Key

ProjectKey = Annotated[Key, Path(description="Key of the project.")]
FlagKey = Annotated[Key, Path(description="Key of the flag.")]
EnvironmentKey = Annotated[Key, Path(description="Key of the environment.")]
PartKey = Annotated[Key, Path(description="Key of the part.")]
Number = Annotated[int, Path(ge=1, description="Number of the revision.")]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="ETag of what the change was made from; required.")
]


def by(now: datetime, note: str = "") -> By:
    """Who makes the change of this request."""
    return By(LOCAL_ACTOR, now, note)
