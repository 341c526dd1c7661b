"""Who asks, and what of their answers does not depend on the question."""

import time
import uuid
from collections import OrderedDict
from datetime import datetime

from assay.access.keys import AccessKey, KeyKind
from assay.core.clock import utc_now
from assay.core.config import Settings
from assay.evaluation import tokens
from assay.evaluation.answers import Headers
from assay.evaluation.rates import Bucket

NOTE_USE_AFTER_SECONDS = 60.0
REMEMBERED_CALLERS = 10_000
INACTIVITY_DELAY_SECONDS = 120
UNKNOWN_CALLER = "this needs a key of an environment: Authorization: Bearer <key>, or X-API-Key: <key>"
STREAM_PATH = "/ofrep/v1/streams"


class Refused(Exception):
    """The caller gets no answer; the status and the sentence say why."""

    def __init__(self, status: int, details: str, headers: Headers | None = None) -> None:
        super().__init__(details)
        self.status = status
        self.details = details
        self.headers = headers or []


class Caller:
    """A key, or in open local mode an environment, with what is kept about it between requests."""

    __slots__ = ("_bucket", "_noted_at", "_period", "_tail", "environment_id", "key_id", "kind", "seed")

    def __init__(self, environment_id: uuid.UUID, key: AccessKey | None, *, rate: float) -> None:
        self.environment_id = environment_id
        self.key_id = None if key is None else key.id
        self.kind = KeyKind.SERVER if key is None else key.kind
        self.seed = b""
        self._bucket = Bucket(rate, now=time.monotonic()) if rate else None
        self._noted_at = float("-inf")
        self._period = -1
        self._tail = b""

    def require_within_rate(self) -> None:
        """Counts one request.

        Raises:
            Refused: The key has asked for more than its rate; the header says for how long to wait.
        """
        if self._bucket is not None and (wait := self._bucket.take(time.monotonic())):
            retry = (b"retry-after", str(wait).encode())
            raise Refused(429, f"this key asks more often than it may; come back in {wait} s", [retry])

    def notes_use(self) -> datetime | None:
        """This moment, if the key's use is to be noted: once a minute is enough."""
        at = time.monotonic()
        if self.key_id is None or at - self._noted_at < NOTE_USE_AFTER_SECONDS:
            return None
        self._noted_at = at
        return utc_now()

    def event_streams(self, secret: bytes, root_path: str) -> bytes:
        """The `eventStreams` of bulk answers; the same bytes for a whole period.

        With them changes `seed`, which ETags contain: a client whose token runs out gets a 200 with the next.
        """
        current = tokens.period(time.time())
        if current != self._period:
            given = tokens.grant(self.environment_id, self.key_id, in_period=current)
            address = f"{root_path}{STREAM_PATH}?token={tokens.sign(given, secret)}"
            self._tail = (
                f'"eventStreams":[{{"type":"sse","endpoint":{{"requestUri":"{address}"}},'
                f'"inactivityDelaySec":{INACTIVITY_DELAY_SECONDS}}}]}}'
            ).encode()
            self.seed = f"{self.key_id}/{current}/".encode()
            self._period = current
        return self._tail


class Callers:
    """Those who have asked, so that their rates are counted; a bounded number of them."""

    def __init__(self, settings: Settings) -> None:
        self._rate = settings.delivery_rate_per_second
        self._known: OrderedDict[uuid.UUID, Caller] = OrderedDict()

    def of_key(self, key: AccessKey) -> Caller:
        """The caller who holds this key."""
        return self._known.get(key.id) or self._remember(key.id, key.environment_id, key)

    def of_place(self, environment_id: uuid.UUID) -> Caller:
        """Whoever asks for this environment without a key, in open local mode."""
        return self._known.get(environment_id) or self._remember(environment_id, environment_id, None)

    def _remember(self, identifier: uuid.UUID, environment_id: uuid.UUID, key: AccessKey | None) -> Caller:
        caller = self._known[identifier] = Caller(environment_id, key, rate=self._rate)
        if len(self._known) > REMEMBERED_CALLERS:
            self._known.popitem(last=False)
        return caller
