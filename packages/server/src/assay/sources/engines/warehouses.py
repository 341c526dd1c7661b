"""Warehouses by Ibis, each with the extra of its name."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import ibis
from ibis.backends import BaseBackend
from ibis.expr.types import Table

from assay.sources.connections import BigQuery, ClickHouse, Databricks, Snowflake, Trino
from assay.sources.engines.base import Estimate, unsupported
from assay.sources.secrets import resolved
from assay.sources.selects import require_select
from assay.sources.tables import FilePattern, NamedTable, Relation, Select

Warehouse = ClickHouse | Snowflake | BigQuery | Databricks | Trino
SECURE_HTTP_PORT = 443


@dataclass(frozen=True, slots=True)
class WarehouseEngine:
    """A warehouse; what cancelling and estimating mean there is decided when it is opened."""

    backend: BaseBackend
    dialect: str
    price: Callable[[str], int | None]
    cancel: Callable[[], None]

    def tables(self) -> list[str]:
        """Tables of the database or schema that the connection names."""
        return sorted(self.backend.list_tables())[:1000]

    def table(self, relation: Relation) -> Table:
        """The table, view or SELECT."""
        match relation:
            case NamedTable():
                return self.backend.table(relation.name, database=relation.namespace)
            case Select():
                require_select(relation.sql, dialect=self.dialect)
                return self.backend.sql(relation.sql)
            case FilePattern():
                raise unsupported(relation, self.dialect)

    def estimate(self, relation: Relation, columns: Sequence[str]) -> Estimate:
        """Bytes where the warehouse prices a query without running it."""
        scanned = self.price(self.backend.compile(self.table(relation).select(*columns)))
        basis = f"dry run of {self.dialect}" if scanned is not None else f"{self.dialect} does not tell"
        return Estimate(None, scanned, basis)

    def interrupt(self) -> None:
        """Asks the warehouse to stop, as far as its driver can."""
        self.cancel()

    def close(self) -> None:
        """Ends the session."""
        self.backend.disconnect()


def open_warehouse(definition: Warehouse, environment: Mapping[str, str]) -> WarehouseEngine:
    """A session with a warehouse.

    Raises:
        MissingSecret: The environment does not hold the password or token.
    """
    backend = _connected(definition, environment)
    price = _bigquery_price(backend) if isinstance(definition, BigQuery) else _unknown_price
    return WarehouseEngine(backend, definition.kind, price, backend.disconnect)


def _connected(definition: Warehouse, environment: Mapping[str, str]) -> BaseBackend:
    match definition:
        case ClickHouse():
            return ibis.clickhouse.connect(
                host=definition.host, port=definition.port, database=definition.database,
                user=definition.user, password=resolved(definition.password, environment) or "",
                secure=definition.secure, settings={"readonly": 2},
            )  # fmt: skip
        case Snowflake():
            return ibis.snowflake.connect(
                account=definition.account, database=definition.database, user=definition.user,
                password=resolved(definition.password, environment), warehouse=definition.warehouse,
                role=definition.role, create_object_udfs=False,
            )  # fmt: skip
        case BigQuery():
            return ibis.bigquery.connect(
                project_id=definition.project_id, dataset_id=definition.dataset,
                credentials=_google(resolved(definition.credentials, environment)),
            )  # fmt: skip
        case Databricks():
            return ibis.databricks.connect(
                server_hostname=definition.host, http_path=definition.http_path,
                access_token=resolved(definition.token, environment), catalog=definition.catalog,
                schema=definition.namespace or "default",
            )  # fmt: skip
        case Trino():
            return ibis.trino.connect(
                host=definition.host, port=definition.port, user=definition.user,
                auth=resolved(definition.password, environment), database=definition.catalog,
                schema=definition.namespace,
                http_scheme="https" if definition.port == SECURE_HTTP_PORT else "http",
            )  # fmt: skip


def _google(credentials: str | None) -> Any:  # noqa: ANN401 — of a library that an extra brings
    if credentials is None:
        return None
    accounts = import_module("google.oauth2.service_account")
    return accounts.Credentials.from_service_account_info(json.loads(credentials))


def _unknown_price(_query: str) -> None:
    return None


def _bigquery_price(backend: BaseBackend) -> Callable[[str], int | None]:
    bigquery = import_module("google.cloud.bigquery")
    client: Any = getattr(backend, "client")  # noqa: B009 — BigQuery's backend alone has one

    def price(query: str) -> int | None:
        job = client.query(query, job_config=bigquery.QueryJobConfig(dry_run=True, use_query_cache=False))
        return job.total_bytes_processed

    return price
