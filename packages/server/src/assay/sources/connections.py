"""Where tables can stand: each kind of connection, a small typed value without any secret in it."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from assay.shared.schema import Incoming, Text

# Variables named for this purpose only: a connection to a stranger's host must not carry away others.
SECRET_PREFIX = "ASSAY_SECRET_"  # noqa: S105 — where secrets are, not one
BUILT_IN = "lake"
"""Key of the connection to the events that Assay keeps itself."""

Word = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]+$", min_length=1, max_length=255)]
"""A name as another system spells it."""

Place = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", min_length=1, max_length=1000)]
"""A path or an address."""

Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/\[\]-]+$", min_length=1, max_length=255)]

SPARK_OPTIONS = frozenset(
    {
        "spark.cores.max", "spark.driver.bindAddress", "spark.driver.host", "spark.driver.memory",
        "spark.driver.port", "spark.executor.cores", "spark.executor.instances", "spark.executor.memory",
        "spark.sql.ansi.enabled", "spark.sql.shuffle.partitions", "spark.ui.enabled",
    }
)  # fmt: skip
"""What a connection may tell Spark: nothing that loads code or opens other places."""


class Secret(Incoming):
    """A secret by the name of the environment variable that holds it; the value is never stored."""

    env: Annotated[str, StringConstraints(pattern=rf"^{SECRET_PREFIX}[A-Z0-9_]{{1,64}}$")] = Field(
        description=f"Name of an environment variable of the server, beginning with {SECRET_PREFIX}."
    )


class Files(Incoming):
    """Parquet and CSV files below a folder that the setting `source_roots` allows."""

    kind: Literal["files"]
    folder: Place


class DuckDB(Incoming):
    """A DuckDB file below a folder that the setting `source_roots` allows, opened for reading only."""

    kind: Literal["duckdb"]
    path: Place


class PostgreSQL(Incoming):
    """A PostgreSQL database, in sessions that cannot write; give it a role that may only read."""

    kind: Literal["postgresql"]
    host: Host = Field(description="A name, an address, or the folder of a socket below `source_roots`.")
    port: int = Field(default=5432, ge=1, le=65535)
    database: Word
    user: Word
    password: Secret | None = None
    tls: Literal["disable", "prefer", "require", "verify-full"] = "prefer"


class Spark(Incoming):
    """A Spark cluster, or Spark inside this process with the master `local[n]`."""

    kind: Literal["spark"]
    master: Annotated[
        str, StringConstraints(pattern=r"^(local\[(\d{1,3}|\*)\]|(spark|k8s|yarn)[A-Za-z0-9_.:/,\[\]-]*)$")
    ] = Field(description="Such as `spark://host:7077`.")
    options: dict[str, Text] = Field(
        default_factory=dict, description=f"Options out of: {', '.join(sorted(SPARK_OPTIONS))}."
    )


class ClickHouse(Incoming):
    """A ClickHouse server; needs the extra `clickhouse`."""

    kind: Literal["clickhouse"]
    host: Host
    port: int = Field(default=8443, ge=1, le=65535)
    database: Word = "default"
    user: Word = "default"
    password: Secret | None = None
    secure: bool = True


class Snowflake(Incoming):
    """A Snowflake account; needs the extra `snowflake`."""

    kind: Literal["snowflake"]
    account: Word
    database: Word = Field(description="Database and schema, such as `SHOP/PUBLIC`.")
    user: Word
    password: Secret
    warehouse: Word | None = None
    role: Word | None = None


class BigQuery(Incoming):
    """A BigQuery project; needs the extra `bigquery`."""

    kind: Literal["bigquery"]
    project_id: Word
    dataset: Word
    credentials: Secret | None = Field(
        default=None, description="JSON of a service account; without it the credentials of the machine."
    )


class Databricks(Incoming):
    """A Databricks SQL warehouse; needs the extra `databricks`."""

    kind: Literal["databricks"]
    host: Host
    http_path: Word
    token: Secret
    catalog: Word | None = None
    namespace: Word | None = Field(default=None, description="The schema.")


class Trino(Incoming):
    """A Trino cluster; needs the extra `trino`."""

    kind: Literal["trino"]
    host: Host
    port: int = Field(default=443, ge=1, le=65535)
    user: Word
    password: Secret | None = None
    catalog: Word
    namespace: Word | None = Field(default=None, description="The schema.")


Definition = Annotated[
    Files | DuckDB | PostgreSQL | Spark | ClickHouse | Snowflake | BigQuery | Databricks | Trino,
    Field(discriminator="kind"),
]

EXTRAS = {
    "spark": "pyspark",
    "clickhouse": "clickhouse_connect",
    "snowflake": "snowflake",
    "bigquery": "google.cloud.bigquery",
    "databricks": "databricks.sql",
    "trino": "trino",
}
"""Kinds that an extra of the same name brings, with a module that tells whether it is there."""


def secrets_of(definition: Definition) -> list[Secret]:
    """The secrets that a definition refers to."""
    return [part for _, part in definition if isinstance(part, Secret)]
