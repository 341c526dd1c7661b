"""Taking in one request's events: within bounds, read, sorted, stored; the same for every format."""

import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.exceptions import HTTPException

from assay.access.dependencies import PresentedToken
from assay.core.clock import utc_now
from assay.core.config import Settings
from assay.core.dependencies import AppSettings
from assay.events import decoding, ingest
from assay.events.errors import TooLarge, TooMuchWaiting, UnknownEncoding, UnknownKey
from assay.events.ingest import Sorted
from assay.events.intake import Intake
from assay.events.wire import AnyEvent, Malformed
from assay.projects.service import DEFAULT_ENVIRONMENT, DEFAULT_PROJECT
from assay.shared.ids import Key

RETRY_AFTER_SECONDS = 1
ESCAPED_NUL = rb"\u0000"
ProjectKey = Annotated[Key, Query(description="Project of the events, unless a key says it.")]
EnvironmentKey = Annotated[Key, Query(description="Their environment, likewise.")]
Reader = Callable[[bytes], Sequence[AnyEvent | Malformed]]


@dataclass(frozen=True, slots=True)
class Stored:
    """A batch after its commit, and which of its identifiers were stored before."""

    batch: Sorted
    known: set[str]


@dataclass(frozen=True, slots=True)
class Reception:
    """A request, and whose events it brings."""

    request: Request
    settings: Settings
    intake: Intake
    token: str | None
    project: str
    environment: str

    async def place(self) -> uuid.UUID:
        """The environment of the events.

        Raises:
            HTTPException: The key is unknown (401).
            ProjectNotFound, EnvironmentNotFound: There is no such place.
        """
        with answered():
            return await self.intake.senders.environment(self.token, self.project, self.environment)

    async def store(self, reader: Callable[[str | None], Reader]) -> Stored:
        """Reads the body and stores its events; done when they are committed.

        Args:
            reader: What reads a body of a media type.

        Raises:
            HTTPException: The body is too large (413) or of an unknown kind (415), or too much waits (429).
            UnreadableBatch, BatchTooLong, UnreadableEncoding: The body cannot be read as a whole.
        """
        with answered():
            read = reader(self.request.headers.get("content-type"))
            environment_id = await self.place()
            with self.intake.committer.room(self._announced_bytes()):
                batch = self._sorted(read, await self._body())
                return Stored(batch, await self.intake.committer.store(environment_id, batch))

    def _sorted(self, read: Reader, body: bytes) -> Sorted:
        max_ahead = timedelta(seconds=self.settings.event_max_ahead_seconds)
        may_hold_nul = ESCAPED_NUL in body or b"\x00" in body
        return ingest.sort(read(body), now=utc_now(), max_ahead=max_ahead, may_hold_nul=may_hold_nul)

    def _announced_bytes(self) -> int:
        headers = self.request.headers
        length = headers.get("content-length", "")
        is_known = length.isdigit() and "content-encoding" not in headers
        # What announces more is refused when it is read, and needs no more room than that.
        most = self.settings.max_body_bytes
        return min(int(length), most) if is_known else most

    async def _body(self) -> bytes:
        encoding = self.request.headers.get("content-encoding")
        body = await self.request.body()
        return decoding.inflate(body, encoding, max_bytes=self.settings.max_body_bytes)


async def _intake(request: Request) -> Intake:
    return request.state.intake


async def _reception(
    request: Request,
    settings: AppSettings,
    intake: Annotated[Intake, Depends(_intake)],
    token: PresentedToken,
    project: ProjectKey = DEFAULT_PROJECT,
    environment: EnvironmentKey = DEFAULT_ENVIRONMENT,
) -> Reception:
    return Reception(request, settings, intake, token, project, environment)


Receiving = Annotated[Reception, Depends(_reception)]


@contextmanager
def answered() -> Generator[None]:
    """Translates what is refused here and nowhere else into status codes."""
    try:
        yield
    except TooLarge as error:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error.message) from error
    except UnknownEncoding as error:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, error.message) from error
    except UnknownKey as error:
        challenge = {"WWW-Authenticate": "Bearer"}
        raise HTTPException(HTTPStatus.UNAUTHORIZED, error.message, challenge) from error
    except TooMuchWaiting as error:
        pause = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, error.message, pause) from error
