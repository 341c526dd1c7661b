"""Parsing of what clauses compare: versions, moments and network addresses. None means: not one."""

import ipaddress
import re
import socket
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias

from assay_engine.values import AttributeValue

Precedence: TypeAlias = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]
Network: TypeAlias = tuple[int, int, int]

_VERSION = re.compile(
    r"[vV]?(\d{1,18})(?:\.(\d{1,18})(?:\.(\d{1,18})(?:-([0-9A-Za-z.-]{1,100}))?)?)?(?:\+[0-9A-Za-z.-]{1,100})?",
    re.ASCII,
)
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d))?",
    re.ASCII,
)
_LONGEST_ADDRESS = 45
_BITS = {4: 32, 6: 128}
_MAPPED_PREFIX = b"\0" * 10 + b"\xff\xff"


@lru_cache(maxsize=4096)
def version(text: str) -> Precedence | None:
    """Precedence of a version by SemVer 2.0.0 (11); `v1.2` reads as `1.2.0`, build metadata is ignored.

    A pre-release needs all three numbers before it, so that a date such as `2026-01-31` is no version.
    """
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    major, minor, patch, prerelease = found.groups()
    identifiers = prerelease.split(".") if prerelease else []
    if not all(identifiers):
        return None
    ordered = tuple(_identifier(part) for part in identifiers)
    return int(major), int(minor or 0), int(patch or 0), not ordered, ordered


def _identifier(part: str) -> tuple[bool, int, str]:
    # Numeric identifiers compare as numbers and come before alphanumeric ones.
    return (False, int(part), "") if part.isdigit() else (True, 0, part)


def moment(value: AttributeValue) -> datetime | None:
    """An instant: an aware datetime, RFC 3339 text, or a date (its midnight in UTC)."""
    if type(value) is str:
        return _moment_of_text(value)
    return value if isinstance(value, datetime) else None


@lru_cache(maxsize=4096)
def _moment_of_text(text: str) -> datetime | None:
    if not _MOMENT.fullmatch(text):
        return None
    try:
        parsed = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


@lru_cache(maxsize=4096)
def address(text: str) -> tuple[int, int] | None:
    """Version (4 or 6) and number of an IP address; an IPv4 address mapped into IPv6 counts as IPv4."""
    if len(text) > _LONGEST_ADDRESS:
        return None
    try:
        return 4, int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
    except (OSError, ValueError):
        return _address_6(text)


def _address_6(text: str) -> tuple[int, int] | None:
    try:
        packed = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return None
    if packed.startswith(_MAPPED_PREFIX):
        return 4, int.from_bytes(packed[12:], "big")
    return 6, int.from_bytes(packed, "big")


def network(text: str) -> Network | None:
    """Version, base address and number of host bits of a network in CIDR notation; host bits may be set."""
    try:
        parsed = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return parsed.version, int(parsed.network_address), _BITS[parsed.version] - parsed.prefixlen


def contains(inside: Network, candidate: tuple[int, int]) -> bool:
    """Whether a network holds an address."""
    family, base, host_bits = inside
    return candidate[0] == family and candidate[1] >> host_bits == base >> host_bits
