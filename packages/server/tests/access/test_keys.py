"""Tokens and the ring that finds them."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.access.keys import AccessKey, KeyKind, Keyring, digest, mint, presented_token, shown

TOKEN = mint(KeyKind.SERVER)
KEY = AccessKey(uuid.UUID(int=1), uuid.UUID(int=2), KeyKind.SERVER, digest(TOKEN))


def test_a_token_has_256_bits_and_says_its_kind() -> None:
    token = mint(KeyKind.CLIENT)

    assert token.startswith("assay_client_")
    assert len(token.removeprefix("assay_client_")) == 43
    assert token != mint(KeyKind.CLIENT)


def test_what_is_shown_tells_keys_apart_and_opens_nothing() -> None:
    assert TOKEN.startswith(shown(TOKEN))
    assert len(shown(TOKEN)) == len("assay_server_") + 6
    assert Keyring([KEY]).find(shown(TOKEN)) is None


def test_a_key_is_found_by_its_token_alone() -> None:
    ring = Keyring([KEY])

    assert ring.find(TOKEN) == KEY
    assert ring.find(TOKEN + "x") is None
    assert ring.find(digest(TOKEN).hex()) is None


@given(st.text(max_size=300))
def test_no_text_breaks_the_ring(text: str) -> None:
    assert Keyring([KEY]).find(text) is None


@pytest.mark.parametrize(
    ("authorization", "api_key", "token"),
    [
        ("Bearer t", None, "t"),
        ("bearer t", "other", "t"),
        (None, "t", "t"),
        (None, None, None),
        ("Basic t", None, ""),
        ("Bearer", None, ""),
        ("", "t", ""),
    ],
)
def test_a_token_is_read_from_either_header(
    authorization: str | None, api_key: str | None, token: str | None
) -> None:
    assert presented_token(authorization, api_key) == token
