import json
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_engine.bucketing import BUCKETERS, cbor, fnv1a32, murmur3_32, prepare, unit_text
from assay_engine.model import BucketerName, Bucketing

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[3] / "conformance" / "bucketing.json").read_text("utf-8")
)
PEERS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "conformance" / "peers.json").read_text("utf-8")
)["groups"]
# 99.9 % points of chi-square (NIST/SEMATECH e-Handbook, 1.3.6.7.4).
CHI_SQUARE_999 = {9: 27.877, 81: 126.083, 99: 148.230}


def bucketing(vector: dict[str, Any]) -> Bucketing:
    return Bucketing(vector["salt"], BucketerName(vector["bucketer"]), total=vector["total"])


@pytest.mark.parametrize("name", list(BucketerName))
def test_published_vectors_stay_as_they_are(name: BucketerName) -> None:
    vectors = [each for each in VECTORS["vectors"] if each["bucketer"] == name]

    assert len(vectors) == 14
    assert [prepare(bucketing(each))(each["unit"]) for each in vectors] == [each["value"] for each in vectors]


def test_the_peers_own_vectors_hold() -> None:
    for vector in VECTORS["published"]:
        assert prepare(bucketing(vector))(vector["unit"]) == vector["value"], vector["source"]


@pytest.mark.parametrize("group", PEERS, ids=lambda group: f"{group['package']}-{group['salt']}")
def test_a_peers_own_sdk_puts_every_unit_where_we_do(group: dict[str, Any]) -> None:
    place = prepare(bucketing(group))

    for unit, expected in group["places"].items():
        found = place(unit)
        assert found is not None
        assert (expected[0] <= found < expected[1]) if isinstance(expected, list) else found == expected, unit


def test_every_peer_has_been_asked() -> None:
    assert {group["bucketer"] for group in PEERS} == set(BucketerName) - {BucketerName.XD}


def test_launchdarkly_places_its_sdk_test_user_where_the_peer_does() -> None:
    # LaunchDarkly SDK test suites: hashKey, saltyA, userKeyA.
    place = prepare(Bucketing("hashKey.saltyA", BucketerName.LAUNCHDARKLY))("userKeyA")

    assert place == pytest.approx(0.42157587, abs=1e-8)


def test_launchdarkly_buckets_what_is_neither_text_nor_whole_number_at_zero() -> None:
    bucket = prepare(Bucketing("k.s", BucketerName.LAUNCHDARKLY))

    assert bucket(True) == bucket(2.5) == bucket([1]) == 0
    assert bucket(7) == bucket("7")
    assert bucket(None) is None


def test_fnv_is_the_published_function() -> None:
    # isthe.com/chongo/src/fnv/test_fnv.c
    assert [fnv1a32(text) for text in ("", "a", "foobar")] == [0x811C9DC5, 0xE40C292C, 0xBF9CF968]


def test_murmur_is_the_published_function() -> None:
    # SMHasher's MurmurHash3_x86_32, as listed at en.wikipedia.org/wiki/MurmurHash.
    assert murmur3_32("test") == 0xBA6BD213
    assert murmur3_32("test", 0x9747B28C) == 0x704B81DC
    assert murmur3_32("Hello, world!") == 0xC0363E43


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"), (23, "17"), (24, "1818"), (1000000, "1a000f4240"), (-1, "20"), (-1000, "3903e7"),
        (1.0, "01"), (1.5, "f93e00"), (100000.5, "fa47c35040"), (1.1, "fb3ff199999999999a"), (-0.0, "00"),
        (2.0**64, "fa5f800000"), (False, "f4"), (True, "f5"), (None, "f6"), ("IETF", "6449455446"),
        ("ü", "62c3bc"), ([1, [2, 3]], "8201820203"), ({"b": [2, 3], "a": 1}, "a26161016162820203"),
    ],
)  # fmt: skip
def test_cbor_is_that_of_rfc_8949(value: Any, encoded: str) -> None:
    # RFC 8949, appendix A; whole floats as integers is flagd's own rule.
    assert cbor(value).hex() == encoded


def test_xd_is_the_formula_flagd_documents_are_compiled_to() -> None:
    for salt, unit, total in [("s", "u1", 10_000), ("x" * 130, "u2", 7), ("flag.rule", "ü" * 90, 100)]:
        key = ("_" * 100 + salt + ":" + unit)[-100:]

        assert prepare(Bucketing(salt, total=total))(unit) == (murmur3_32("xd" + key) * total) >> 32


def test_a_lone_surrogate_has_no_bucket_and_does_no_harm() -> None:
    for name in BucketerName:
        place = prepare(Bucketing("s", name))("\ud800")

        assert place is None or name in {BucketerName.GROWTHBOOK_1, BucketerName.GROWTHBOOK_2}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ("", None),
        (7, "7"),
        (7.0, "7"),
        (7.5, None),
        (True, None),
        (None, None),
        (10**400, None),
        ([], None),
    ],
)
def test_a_unit_is_text_or_a_whole_number(value: Any, text: str | None) -> None:
    assert unit_text(value) == text


@given(st.sampled_from(list(BucketerName)), st.text(max_size=30), st.text(max_size=30), st.integers(1, 10**6))
def test_every_place_lies_on_the_line(name: BucketerName, salt: str, unit: str, total: int) -> None:
    bucketer = BUCKETERS[name]
    place = prepare(Bucketing(salt, name, total=total))(unit)

    assert place is None or bucketer.lowest <= place <= bucketer.highest(total)
    assert (
        place is None
        or not bucketer.is_integer
        or (isinstance(place, int) and place < bucketer.highest(total))
    )


@pytest.mark.parametrize("name", list(BucketerName))
def test_places_are_uniform(name: BucketerName) -> None:
    bucketer = BUCKETERS[name]
    bucket = prepare(Bucketing("uniform", name, total=1_000))
    counts = [0] * 100
    for unit in range(50_000):
        place = bucket(f"user-{unit}")
        assert place is not None
        share = (place - bucketer.lowest) / (bucketer.highest(1_000) - bucketer.lowest)
        counts[min(int(share * 100), 99)] += 1

    assert sum((count - 500) ** 2 / 500 for count in counts) < CHI_SQUARE_999[99]


# FNV-1a keeps too much of the last characters it read: two experiments of such a peer share part of a split.
# Imported rules keep it nonetheless, since moving their units would be worse.
DEPENDENT_IN_THE_PEER = {BucketerName.GROWTHBOOK_1, BucketerName.GO_FEATURE_FLAG}


@pytest.mark.parametrize("name", sorted(set(BucketerName) - DEPENDENT_IN_THE_PEER))
def test_two_salts_place_units_independently(name: BucketerName) -> None:
    assert independence_statistic(joint_places(name)) < CHI_SQUARE_999[81]


@pytest.mark.parametrize("name", sorted(DEPENDENT_IN_THE_PEER))
def test_two_peers_are_known_to_place_units_dependently(name: BucketerName) -> None:
    assert independence_statistic(joint_places(name)) > CHI_SQUARE_999[81]


def joint_places(name: BucketerName) -> list[list[int]]:
    bucketer = BUCKETERS[name]
    first, second = (prepare(Bucketing(salt, name, total=1_000)) for salt in ("checkout", "onboarding"))
    table = [[0] * 10 for _ in range(10)]
    for unit in range(50_000):
        row, column = (
            min(int(((place or 0) - bucketer.lowest) / (bucketer.highest(1_000) - bucketer.lowest) * 10), 9)
            for place in (first(f"user-{unit}"), second(f"user-{unit}"))
        )
        table[row][column] += 1
    return table


def independence_statistic(table: list[list[int]]) -> float:
    rows, columns = [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]
    total = sum(rows)
    return sum(
        (table[i][j] - rows[i] * columns[j] / total) ** 2 / (rows[i] * columns[j] / total)
        for i in range(len(rows))
        for j in range(len(columns))
    )


def test_the_independence_test_notices_dependence() -> None:
    table = [[5_000 if row == column else 1 for column in range(10)] for row in range(10)]

    assert independence_statistic(table) > CHI_SQUARE_999[81]


def test_raising_a_rollout_never_moves_anyone_already_in() -> None:
    rng = Random(7)
    for name in BucketerName:
        bucket = prepare(Bucketing("rollout", name))
        places = [bucket(f"user-{rng.random()}") for _ in range(300)]
        ends = sorted(rng.uniform(0, 10_000) for _ in range(5))
        inside = [
            {at for at, place in enumerate(places) if place is not None and place < end} for end in ends
        ]

        assert all(earlier <= later for earlier, later in pairwise(inside))
