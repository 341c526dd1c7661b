"""Events as columns, straight from PostgreSQL into Arrow."""

import json
import uuid
from collections.abc import Sequence

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from assay.core.database import libpq_url

_SELECT = """
    SELECT kind, name, unit, at, variant, value
    FROM event
    WHERE environment_id = $1::uuid
      AND (
        (kind = 'exposure' AND name = $2)
        OR (kind = 'event' AND name = ANY (ARRAY(SELECT jsonb_array_elements_text($3::jsonb))))
      )
"""


def read_events(
    url: str, *, schema: str, environment_id: uuid.UUID, experiment: str, names: Sequence[str]
) -> pa.Table:
    """Exposures of an experiment and the named metric events of its environment, in one snapshot."""
    with adbc.connect(libpq_url(url)) as connection, connection.cursor() as cursor:
        connection.adbc_connection.set_options(**{"adbc.connection.db_schema": schema})
        cursor.execute(_SELECT, (str(environment_id), experiment, json.dumps(list(names))))
        return cursor.fetch_arrow_table()
