"""Reading what OFREP clients send: bodies, conditions, versions they have heard of."""

import re
from typing import Any, cast

import msgspec

from assay_engine import Context
from assay_engine.context import TARGETING_KEY
from assay_engine.values import AttributeValue


class Unreadable(Exception):
    """A request body that is not OFREP's; `code` is the protocol's word for it."""

    def __init__(self, code: str, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


_decode = msgspec.json.Decoder().decode
_canonical = msgspec.json.Encoder(order="deterministic").encode
_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "an array",
    dict: "an object",
}
_REVISION = re.compile(r'"?(\d{1,18})-')


def read_context(body: bytes) -> Context:
    """The context of a request; without one, or with an empty body, that of somebody unknown.

    Raises:
        Unreadable: The body is not JSON, or its context no object, or its targeting key a container.
    """
    if not body:
        return Context.from_json({})
    try:
        request: Any = _decode(body)
    except RecursionError:
        raise Unreadable("PARSE_ERROR", "the body is nested too deeply") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unreadable("PARSE_ERROR", f"the body is not JSON: {error}") from error
    return Context.from_json(_context_of(request))


def canonical(context: Context) -> bytes:
    """The context as bytes that do not depend on the order of its attributes."""
    return _canonical(context.values)


def has_seen(if_none_match: bytes, etag: bytes) -> bool:
    """Whether a condition names this tag; proxies that compress may have weakened it."""
    if if_none_match == etag:
        return True
    return any(tag.strip().removeprefix(b"W/") == etag for tag in if_none_match.split(b","))


def heard_of(version: str | None) -> int | None:
    """The revision in a version or ETag that a stream told of."""
    found = _REVISION.match(version or "")
    return int(found[1]) if found else None


def _context_of(request: object) -> dict[str, AttributeValue]:
    if not isinstance(request, dict):
        raise Unreadable(
            "INVALID_CONTEXT", f'the body is {_kind(request)}; send an object: {{"context": {{…}}}}'
        )
    context: object = cast("dict[str, object]", request).get("context")
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise Unreadable("INVALID_CONTEXT", f"context is {_kind(context)}; send an object")
    attributes = cast("dict[str, AttributeValue]", context)
    key = attributes.get(TARGETING_KEY)
    # Numbers are the engine's to judge, as inside an application's own process.
    if isinstance(key, dict | list):
        raise Unreadable("INVALID_CONTEXT", f"targetingKey is {_kind(key)}; send it as text")
    return attributes


def _kind(value: object) -> str:
    return _KINDS[type(value)]
