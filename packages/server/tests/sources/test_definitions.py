"""Definitions of connections and tables: what fits together, and that no secret is ever in them."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from assay.sources.connections import Definition, PostgreSQL, Secret
from assay.sources.engines.opening import Means, opened
from assay.sources.errors import MissingExtra, MissingSecret, UnknownColumn, UnusableColumn
from assay.sources.places import Allowed
from assay.sources.secrets import known_secrets, resolved, scrubbed
from assay.sources.tables import Kinds, Roles, properties_of, require_fit

DEFINITION: TypeAdapter[Definition] = TypeAdapter(Definition)
TEXT = Kinds("string", is_moment=False, is_measurable=False, is_text=True, is_identifier=True)
NUMBER = Kinds("int64", is_moment=False, is_measurable=True, is_text=False, is_identifier=True)
MOMENT = Kinds("timestamp", is_moment=True, is_measurable=False, is_text=False, is_identifier=False)
COLUMNS = {"user": TEXT, "at": MOMENT, "what": TEXT, "amount": NUMBER, "country": TEXT}


def roles(**parts: Any) -> Roles:
    return Roles.model_validate(
        {"units": {"user": "user"}, "timestamp": "at", "event": {"column": "what"}} | parts
    )


def a_postgres(**parts: Any) -> dict[str, Any]:
    return {"kind": "postgresql", "host": "db", "database": "shop", "user": "reader"} | parts


@pytest.mark.parametrize(
    "password",
    [
        "hunter2",
        {"env": "HOME"},
        {"env": "ASSAY_DATABASE_URL"},
        {"env": "ASSAY_SECRET_"},
        {"value": "hunter2"},
    ],
)
def test_a_secret_in_clear_or_of_another_purpose_is_refused(password: Any) -> None:
    with pytest.raises(ValidationError):
        DEFINITION.validate_python(a_postgres(password=password))


@pytest.mark.parametrize("master", ["local[2]; rm", "http://evil", "/etc/passwd", "local[2]\n"])
def test_a_spark_master_is_an_address(master: str) -> None:
    with pytest.raises(ValidationError):
        DEFINITION.validate_python({"kind": "spark", "master": master})


def test_a_secret_is_read_from_the_environment() -> None:
    secret = Secret(env="ASSAY_SECRET_SHOP")

    assert resolved(secret, dict.fromkeys([secret.env], "hunter2")) == "hunter2"
    with pytest.raises(MissingSecret, match="ASSAY_SECRET_SHOP is not set"):
        resolved(secret, {})


def test_secrets_are_hidden_in_whatever_an_engine_says() -> None:
    definition = DEFINITION.validate_python(a_postgres(password={"env": "ASSAY_SECRET_SHOP"}))
    secrets = known_secrets(definition, {"ASSAY_SECRET_SHOP": "hunter2"})

    assert isinstance(definition, PostgreSQL)
    assert scrubbed("no entry for reader with hunter2", secrets) == "no entry for reader with •••"


@pytest.mark.parametrize(
    "definition",
    [
        {"kind": "clickhouse", "host": "ch"},
        {
            "kind": "snowflake", "account": "a", "database": "SHOP/PUBLIC", "user": "u",
            "password": {"env": "ASSAY_SECRET_A"},
        },
        {"kind": "bigquery", "project_id": "p", "dataset": "d"},
        {"kind": "databricks", "host": "h", "http_path": "/sql", "token": {"env": "ASSAY_SECRET_A"}},
        {"kind": "trino", "host": "t", "user": "u", "catalog": "c"},
    ],
)  # fmt: skip
def test_a_missing_library_says_how_to_install_it(definition: dict[str, Any]) -> None:
    means = Means(Allowed([]), timeout_seconds=1, environment={})

    with (
        pytest.raises(MissingExtra, match=rf"pip install 'assay\[{definition['kind']}\]'"),
        opened(DEFINITION.validate_python(definition), means),
    ):
        pass


def test_columns_without_a_role_are_properties() -> None:
    asked = roles(value="amount")

    require_fit(asked, COLUMNS)

    assert properties_of(asked, COLUMNS) == ["country"]


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"timestamp": "country"}, "timestamp: column 'country' holds string, not a timestamp"),
        ({"value": "country"}, "value: column 'country' holds string, not a number"),
        ({"event": {"column": "amount"}}, "event: column 'amount' holds int64, not text"),
        ({"units": {"user": "at"}}, "units.user: column 'at' holds timestamp, which cannot name anything"),
    ],
)
def test_a_column_that_cannot_mean_what_it_should_is_named(parts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UnusableColumn, match=sentence):
        require_fit(roles(**parts), COLUMNS)


def test_a_missing_column_lists_those_there_are() -> None:
    with pytest.raises(UnknownColumn, match="value: no column 'sum'; the table has user, at, what"):
        require_fit(roles(value="sum"), COLUMNS)


@pytest.mark.parametrize("parts", [{"event": None}, {"experiment": {"constant": "checkout"}}, {"units": {}}])
def test_roles_must_say_what_a_row_is(parts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        roles(**parts)
