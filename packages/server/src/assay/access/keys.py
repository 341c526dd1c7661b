"""What a key is: a random token whose digest alone is kept."""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

TOKEN_BYTES = 32
SHOWN_CHARACTERS = 6
# A header longer than this is no token of ours; it is refused before it is hashed.
LONGEST_TOKEN = 200


LINK = "link"
"""What tokens that open one thing for reading begin with."""


class KeyKind(StrEnum):
    """Who holds the key: a server may see rules, a client only answers."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key without its secret: which environment it opens, and to whom."""

    id: uuid.UUID
    environment_id: uuid.UUID
    kind: KeyKind
    digest: bytes


class Keyring:
    """All keys at one moment, found by the token a caller presents."""

    __slots__ = ("_by_digest", "identifiers")

    def __init__(self, keys: Iterable[AccessKey]) -> None:
        self._by_digest = {key.digest: key for key in keys}
        self.identifiers = frozenset(key.id for key in self._by_digest.values())

    def find(self, token: str) -> AccessKey | None:
        """The key whose token this is."""
        if len(token) > LONGEST_TOKEN:
            return None
        presented = digest(token)
        # What the table compares are hashes, which a caller cannot steer; the verdict takes constant time.
        key = self._by_digest.get(presented)
        return key if key is not None and hmac.compare_digest(key.digest, presented) else None


def mint(kind: str) -> str:
    """A new token with 256 random bits, recognisable to scanners for leaked secrets."""
    return f"assay_{kind}_{secrets.token_urlsafe(TOKEN_BYTES)}"


def digest(token: str) -> bytes:
    """What is kept of a token; without a salt, because nobody can guess 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def shown(token: str) -> str:
    """The beginning of a token, by which people tell keys apart."""
    kind, _, secret = token.removeprefix("assay_").partition("_")
    return f"assay_{kind}_{secret[:SHOWN_CHARACTERS]}"


def presented_token(authorization: str | None, api_key: str | None) -> str | None:
    """The token in `Authorization: Bearer …` or `X-API-Key`; None when neither is there.

    An `Authorization` of another scheme is a token that opens nothing, not an absent one.
    """
    if authorization is None:
        return api_key
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
