"""Stream tokens: only what was signed, only for a while."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from assay.evaluation.tokens import PERIOD_SECONDS, grant, period, sign, verify

SECRET = b"s" * 32
ENVIRONMENT = uuid.UUID(int=7)
NOW = 1_800_000_000.0


@given(st.uuids(), st.none() | st.uuids().filter(lambda each: each.int != 0))
def test_what_was_signed_is_read_back(environment: uuid.UUID, key: uuid.UUID | None) -> None:
    given_now = grant(environment, key, in_period=period(NOW))

    assert verify(sign(given_now, SECRET), SECRET, now=NOW) == given_now


@given(st.binary(max_size=80), st.integers(0, 79))
def test_what_was_changed_is_refused(noise: bytes, at: int) -> None:
    token = sign(grant(ENVIRONMENT, None, in_period=period(NOW)), SECRET)
    changed = token[:at] + noise.hex() + token[at + 1 :]

    assert changed == token or verify(changed, SECRET, now=NOW) is None


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    assert verify(text, SECRET, now=NOW) is None


def test_another_secret_opens_nothing() -> None:
    token = sign(grant(ENVIRONMENT, None, in_period=period(NOW)), SECRET)

    assert verify(token, b"t" * 32, now=NOW) is None


def test_a_token_lasts_at_least_one_period_and_at_most_two() -> None:
    begin = period(NOW) * PERIOD_SECONDS
    token = sign(grant(ENVIRONMENT, None, in_period=period(NOW)), SECRET)

    assert verify(token, SECRET, now=begin + 2 * PERIOD_SECONDS - 1) is not None
    assert verify(token, SECRET, now=begin + 2 * PERIOD_SECONDS) is None
