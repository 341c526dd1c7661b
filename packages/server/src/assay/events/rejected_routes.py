"""Rejected events over HTTP: seen with their reasons, and judged again."""

import uuid
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends

from assay.access import service as access
from assay.access.dependencies import PresentedToken
from assay.access.keys import KeyKind
from assay.core.database import ReadSession
from assay.core.dependencies import AppSettings, Now, Reads, RetryingRoute, Writes
from assay.core.parameters import LIMIT, Cursor, Limit
from assay.events import service
from assay.events.errors import ServerKeyNeeded, UnknownKey
from assay.events.reception import EnvironmentKey, ProjectKey, answered
from assay.events.schemas import RejectedOut, ReplayOut
from assay.projects import service as projects
from assay.projects.service import DEFAULT_ENVIRONMENT, DEFAULT_PROJECT
from assay.shared.pagination import Page

router = APIRouter(prefix="/events/rejected", tags=["events"], route_class=RetryingRoute)


class _Asking:
    """Whose rejected events are asked for; what they hold is not for the keys that browsers carry."""

    def __init__(
        self,
        token: PresentedToken,
        project: ProjectKey = DEFAULT_PROJECT,
        environment: EnvironmentKey = DEFAULT_ENVIRONMENT,
    ) -> None:
        self._token = token
        self._project = project
        self._environment = environment

    async def place(self, tx: ReadSession) -> uuid.UUID:
        """The environment.

        Raises:
            HTTPException: The key is unknown (401).
            ServerKeyNeeded: It is a client's.
            ProjectNotFound, EnvironmentNotFound: There is no such place.
        """
        if self._token is None:
            return (await projects.get_environment(tx, self._project, self._environment)).id
        with answered():
            key = await access.identify(tx, self._token)
            if key is None:
                raise UnknownKey("the key is unknown or revoked")
        if key.kind is not KeyKind.SERVER:
            raise ServerKeyNeeded("rejected events are shown to server keys only; this is a client key")
        return key.environment_id


Asking = Annotated[_Asking, Depends(_Asking)]


@router.get("")
async def list_rejected_events(
    tx: Reads, asking: Asking, cursor: Cursor = None, limit: Limit = LIMIT
) -> Page[RejectedOut]:
    """The newest 10,000 items that were refused, with the reasons, the newest first."""
    rows, next_cursor = await service.refused(tx, await asking.place(tx), cursor=cursor, limit=limit)
    return Page(items=[RejectedOut.model_validate(row) for row in rows], next_cursor=next_cursor)


@router.post("/replay")
async def replay_rejected_events(tx: Writes, asking: Asking, now: Now, settings: AppSettings) -> ReplayOut:
    """Judges all of them again, as when a clock was wrong; what passes is stored and leaves the list."""
    ahead = timedelta(seconds=settings.event_max_ahead_seconds)
    counts = await service.replay(tx, await asking.place(tx), now=now, max_ahead=ahead)
    return ReplayOut(accepted=counts.accepted, repeated=counts.repeated, rejected=counts.rejected)
