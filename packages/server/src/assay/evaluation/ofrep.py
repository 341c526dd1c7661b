"""OFREP 0.3.0 as a branch of bare ASGI in front of the application.

The middleware and the router behind it cost several times an evaluation; here a request passes one comparison
of its path. Answers are JSON whatever happens, with `key` and `errorCode` where something is wrong.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import structlog
from starlette.types import Receive, Scope, Send

from assay.core.clock import utc_now
from assay.core.config import Settings
from assay.core.telemetry import Telemetry
from assay.evaluation import tokens
from assay.evaluation.answers import CORS, Headers, failure, start_message
from assay.evaluation.callers import STREAM_PATH, Refused
from assay.evaluation.delivery import Delivery
from assay.evaluation.figures import Figures
from assay.evaluation.requests import Unreadable, canonical, has_seen, heard_of, read_context
from assay.evaluation.snapshots import Snapshot
from assay.evaluation.streams import Follower, datafile_changed, opening, refetch
from assay.projects.errors import EnvironmentNotFound

log = structlog.get_logger()

EVALUATE = "/ofrep/v1/evaluate/flags"
DATAFILE_STREAM = "/api/v1/datafile/stream"
# Who connects without an id may have asked just before a change: so long after it, they are told to.
RECENT_SECONDS = 60.0

PREFLIGHT: Headers = [
    *CORS,
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"content-type, authorization, x-api-key, if-none-match, last-event-id, cache-control, pragma",
    ),
    (b"access-control-max-age", b"7200"),
    (b"content-length", b"0"),
]
_EMPTY: dict[str, Any] = {"type": "http.response.body", "body": b""}

Handler = Callable[["Exchange"], Awaitable[None]]


class Ofrep:
    """An ASGI application: answers what OFREP clients and followers of changes ask."""

    def __init__(self, settings: Settings, telemetry: Telemetry, is_ours: Callable[[str], bool]) -> None:
        """Answer for a server with these settings.

        Args:
            is_ours: Whether a Host header names this Assay; asked of those who come without a key.
        """
        self._is_ours = is_ours
        self._root_path = settings.root_path
        self._max_body_bytes = settings.max_body_bytes
        self._prefixes = tuple(
            root + path for root in {"", settings.root_path} for path in ("/ofrep/", DATAFILE_STREAM)
        )
        self._figures = Figures()
        telemetry.registry.register(self._figures)

    def answers(self, scope: Scope) -> bool:
        """Whether a request is for it: all below `/ofrep/`, and the stream of the datafile."""
        return scope["type"] == "http" and scope["path"].startswith(self._prefixes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        exchange = Exchange(scope, receive, send, self._root_path, self._max_body_bytes, self._is_ours)
        started = time.perf_counter()
        try:
            await _handler(exchange)(exchange)
        except Refused as error:
            await exchange.fail(error.status, "GENERAL", error.details, error.headers)
        except Unreadable as error:
            await exchange.fail(400, error.code, error.details)
        except EnvironmentNotFound as error:
            await exchange.fail(404, "GENERAL", error.message)
        except Exception:
            log.exception("delivery_failed", route=exchange.route)
            await exchange.fail(500, "GENERAL", "an error inside Assay; its log has the details")
        self._figures.note(exchange.route, exchange.status, time.perf_counter() - started)


class Exchange:
    """One request and its answer."""

    __slots__ = (
        "_is_ours",
        "_max_body_bytes",
        "delivery",
        "key",
        "path",
        "receive",
        "root_path",
        "route",
        "scope",
        "send",
        "status",
    )

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        root_path: str,
        max_body_bytes: int,
        is_ours: Callable[[str], bool],
    ) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.root_path = root_path
        self.delivery: Delivery = scope["state"]["delivery"]
        path: str = scope["path"]
        self.path = path.removeprefix(root_path) if root_path else path
        self.key = ""
        self.route = "unmatched"
        self.status = 0
        self._max_body_bytes = max_body_bytes
        self._is_ours = is_ours

    @property
    def query(self) -> str:
        """The query string."""
        return self.scope["query_string"].decode("latin-1")

    def header(self, name: bytes) -> bytes | None:
        """The first header of this name, which is in lower case."""
        for each, value in self.scope["headers"]:
            if each == name:
                return value
        return None

    def credentials(self) -> tuple[str | None, str | None, str]:
        """What says who asks: the two headers and the query.

        Raises:
            Refused: Nothing but the host says it, and the host is foreign: a page that had its own name
                point to this machine (DNS rebinding).
        """
        authorization = api_key = None
        for name, value in self.scope["headers"]:
            if name == b"authorization":
                authorization = value.decode("latin-1")
            elif name == b"x-api-key":
                api_key = value.decode("latin-1")
        if authorization is None and api_key is None:
            host = (self.header(b"host") or b"").decode("latin-1")
            if not self._is_ours(host):
                raise Refused(403, f"without a key nothing is answered to the host {host!r}")
        return authorization, api_key, self.query

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            Refused: It is larger than a body may be.
        """
        message = await self.receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body", False) and len(body) <= self._max_body_bytes:
            message = await self.receive()
            body += message.get("body", b"")
        if len(body) > self._max_body_bytes:
            raise Refused(413, f"the body is larger than {self._max_body_bytes:,} bytes")
        return body

    async def answer(self, status: int, body: bytes, extra: Headers | None = None) -> None:
        """Sends a whole JSON answer."""
        self.status = status
        await self.send(start_message(status, body, extra))
        await self.send({"type": "http.response.body", "body": body})

    async def empty(self, status: int, headers: Headers) -> None:
        """Sends an answer without a body."""
        self.status = status
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send(_EMPTY)

    async def fail(self, status: int, code: str, details: str, extra: Headers | None = None) -> None:
        """Sends a failure, unless an answer has already begun."""
        if not self.status:
            await self.answer(status, failure(self.key, code, details), extra)


def _handler(exchange: Exchange) -> Handler:
    path, method = exchange.path, exchange.scope["method"]
    if path.startswith(EVALUATE):
        exchange.key = path[len(EVALUATE) :].strip("/")
        exchange.route = f"{EVALUATE}/{{key}}" if exchange.key else EVALUATE
        handler = _single if exchange.key else _bulk
        return handler if method == "POST" else _refusal(method, b"POST, OPTIONS")
    if path in {STREAM_PATH, DATAFILE_STREAM}:
        exchange.route = path
        handler = _stream if path == STREAM_PATH else _datafile_stream
        return handler if method == "GET" else _refusal(method, b"GET, OPTIONS")
    return _preflight if method == "OPTIONS" else _unknown


def _refusal(method: str, allowed: bytes) -> Handler:
    if method == "OPTIONS":
        return _preflight

    async def refuse(exchange: Exchange) -> None:
        raise Refused(405, f"{exchange.path} does not take {method}", [(b"allow", allowed)])

    return refuse


async def _preflight(exchange: Exchange) -> None:
    await exchange.empty(204, PREFLIGHT)


async def _unknown(exchange: Exchange) -> None:
    raise Refused(404, f"nothing answers at {exchange.path}; OFREP is at {EVALUATE}")


async def _single(exchange: Exchange) -> None:
    delivery = exchange.delivery
    caller = await delivery.caller(*exchange.credentials())
    context = read_context(await exchange.body())
    snapshot = delivery.store.loaded(caller.environment_id) or await delivery.snapshot(caller.environment_id)
    now = utc_now()
    is_settled = True
    if exchange.key in snapshot.keepings:
        given = await delivery.keeper.answer(snapshot, exchange.key, context, now)
        answer, is_settled = given.answer, given.is_settled
    else:
        answer = snapshot.answer(exchange.key, context, now)
    answer.count += 1
    if answer.exposes:
        if is_settled:
            delivery.journal.exposed(caller.environment_id, answer, context, now)
        delivery.journal.met_holdouts(snapshot, answer, context, now)
    exchange.status = answer.status
    await exchange.send(answer.start)
    await exchange.send(answer.message)


async def _bulk(exchange: Exchange) -> None:
    delivery = exchange.delivery
    caller = await delivery.caller(*exchange.credentials())
    context = read_context(await exchange.body())
    secret = (await delivery.credentials()).stream_secret
    tail = caller.event_streams(secret, exchange.root_path)
    snapshot = await _snapshot_heard_of(exchange, await delivery.snapshot(caller.environment_id))
    now = utc_now()
    if snapshot.all_keepings:
        context = await delivery.keeper.remembering(snapshot, context)
    etag = _etag(caller.seed, snapshot, canonical(context), snapshot.valid_until(now))
    tag: Headers = [(b"etag", etag)]
    condition = exchange.header(b"if-none-match")
    if condition is not None and has_seen(condition, etag):
        await exchange.empty(304, [*tag, *CORS])
        return
    answers = snapshot.answers(context, now)
    for answer in answers:
        answer.count += 1
    flags = b",".join([answer.body for answer in answers])
    await exchange.answer(200, b"".join((b'{"flags":[', flags, b"],", snapshot.metadata, tail)), tag)


async def _stream(exchange: Exchange) -> None:
    delivery = exchange.delivery
    token = parse_qs(exchange.query).get("token", [""])[0]
    credentials = await delivery.credentials()
    given = tokens.verify(token, credentials.stream_secret, now=time.time())
    if given is None or not (given.key_id is None or given.key_id in credentials.keyring.identifiers):
        raise Refused(401, "the token is wrong, has expired, or its key was revoked; ask for flags again")
    follower = Follower(given.environment_id, given.key_id, refetch)
    await _follow(exchange, follower)


async def _datafile_stream(exchange: Exchange) -> None:
    caller = await exchange.delivery.server_caller(*exchange.credentials())
    await _follow(exchange, Follower(caller.environment_id, caller.key_id, datafile_changed))


async def _follow(exchange: Exchange, follower: Follower) -> None:
    delivery = exchange.delivery
    if delivery.hub.is_full:
        raise Refused(503, "no more streams are taken here; come back later", [(b"retry-after", b"5")])
    snapshot = await delivery.snapshot(follower.environment_id)
    exchange.status = 200
    first = first_frame(exchange.header(b"last-event-id"), snapshot, follower, now=utc_now())
    await delivery.hub.serve(follower, first, receive=exchange.receive, send=exchange.send)


def first_frame(
    last_event_id: bytes | None, snapshot: Snapshot, follower: Follower, *, now: datetime
) -> bytes:
    """What a follower hears first: where it is, and that it has missed something when it has."""
    mark = snapshot.mark(now)
    if last_event_id is None:
        is_behind = _has_just_changed(snapshot, now)
    else:
        is_behind = last_event_id.decode("latin-1") != mark
    changed = follower.frames(mark, snapshot.loaded_at) if is_behind else b""
    return opening(mark) + changed


def _has_just_changed(snapshot: Snapshot, now: datetime) -> bool:
    since = now - timedelta(seconds=RECENT_SECONDS)
    return snapshot.loaded_at > since.timestamp() or snapshot.changed_between(since, now)


async def _snapshot_heard_of(exchange: Exchange, snapshot: Snapshot) -> Snapshot:
    """The snapshot, or a newer one if the client heard of it from another process."""
    if not exchange.scope["query_string"]:
        return snapshot
    heard = heard_of(parse_qs(exchange.query).get("flagConfigEtag", [None])[0])
    return await exchange.delivery.store.at_least(snapshot, heard)


def _etag(seed: bytes, snapshot: Snapshot, context: bytes, valid_until: object) -> bytes:
    """A strong tag of all the answer depends on: flags, context, caller, the clock where rules read it."""
    digest = hashlib.blake2b(seed, digest_size=16)
    digest.update(snapshot.seed)
    digest.update(repr(valid_until).encode())
    digest.update(context)
    return f'"{digest.hexdigest()}"'.encode()
