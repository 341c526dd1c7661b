"""Tokens in the addresses of streams: `EventSource` sends no headers, and no key may stand in an address."""

import base64
import binascii
import hashlib
import hmac
import struct
import uuid
from dataclasses import dataclass

# A token is good until the end of the period after its own: between 12 and 24 hours.
PERIOD_SECONDS = 12 * 3600
_MAC_BYTES = 16
_PAYLOAD = struct.Struct(">16s16sQ")
_NO_KEY = bytes(16)


@dataclass(frozen=True, slots=True)
class StreamGrant:
    """Leave to follow one environment's changes, given to the holder of a key (None in open local mode)."""

    environment_id: uuid.UUID
    key_id: uuid.UUID | None
    expires: int


def period(at: float) -> int:
    """The number of the period that a moment, in seconds since the epoch, lies in."""
    return int(at // PERIOD_SECONDS)


def grant(environment_id: uuid.UUID, key_id: uuid.UUID | None, *, in_period: int) -> StreamGrant:
    """A grant that is the same all period long, so that clients see no reason to connect anew."""
    return StreamGrant(environment_id, key_id, (in_period + 2) * PERIOD_SECONDS)


def sign(given: StreamGrant, secret: bytes) -> str:
    """The grant as text for an address."""
    key = _NO_KEY if given.key_id is None else given.key_id.bytes
    payload = _PAYLOAD.pack(given.environment_id.bytes, key, given.expires)
    return base64.urlsafe_b64encode(payload + _mac(payload, secret)).rstrip(b"=").decode()


def verify(token: str, secret: bytes, *, now: float) -> StreamGrant | None:
    """The grant, if it was signed with this secret and has not expired."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    payload, mac = raw[: _PAYLOAD.size], raw[_PAYLOAD.size :]
    if len(payload) != _PAYLOAD.size or not hmac.compare_digest(mac, _mac(payload, secret)):
        return None
    environment, key, expires = _PAYLOAD.unpack(payload)
    if expires <= now:
        return None
    return StreamGrant(
        uuid.UUID(bytes=environment), None if key == _NO_KEY else uuid.UUID(bytes=key), expires
    )


def _mac(payload: bytes, secret: bytes) -> bytes:
    return hmac.new(secret, payload, hashlib.sha256).digest()[:_MAC_BYTES]
