"""Events of a large experiment, made by DuckDB from hashes of row numbers: the same on every machine."""

from pathlib import Path

import duckdb

EVENTS, UNITS, DAYS = 20_000_000, 2_000_000, 28
UNIT_ROWS = 10_000_000


def write_events(folder: Path, *, scale: float, days: int = DAYS, day_files: bool = False) -> None:
    """Writes `events/*.parquet`: exposures and three kinds of metric events.

    Three in ten exposed units are exposed again, one in a hundred in the other arm too.
    """
    units, events = int(UNITS * scale), int(EVENTS * scale)
    target = folder / "events"
    target.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'; SET threads = 2; SET preserve_insertion_order = false")
    con.execute(f"""
        CREATE TEMP VIEW exposures AS
        WITH seen AS (
            SELECT range % {units} AS unit, range AS row, hash(range % {units}) AS h, hash(range, 7) AS again
            FROM range({units} * 13 // 10)
        )
        SELECT 'exposure' AS kind, 'e' AS name, 'unit-' || unit AS unit,
               TIMESTAMP '2026-01-01' + to_microseconds(
                   (((h >> 8) % ({days} * 600000)) * 144000
                    + CASE WHEN row >= {units} THEN (again % 86400) * 1000000 ELSE 0 END)::BIGINT) AS at,
               CASE WHEN row >= {units} AND again % 30 = 0 THEN (CASE WHEN h % 2 = 0 THEN 'b' ELSE 'a' END)
                    ELSE (CASE WHEN h % 2 = 0 THEN 'a' ELSE 'b' END) END AS variant,
               NULL::DOUBLE AS value
        FROM seen
    """)  # noqa: S608 — numbers
    con.execute(f"""
        CREATE TEMP VIEW happened AS
        WITH rows AS (
            SELECT hash(range, 3) AS h, hash(range, 5) AS g, hash(range, 11) AS v FROM range({events})
        )
        SELECT 'event' AS kind,
               CASE WHEN g % 100 < 10 THEN 'order' WHEN g % 100 < 40 THEN 'click' ELSE 'view' END AS name,
               'unit-' || (h % {units * 5 // 4}) AS unit,
               TIMESTAMP '2025-12-25'
                   + to_microseconds((((g >> 8) % ({days + 7} * 864000)) * 100000)::BIGINT) AS at,
               NULL::VARCHAR AS variant,
               CASE WHEN g % 100 < 10 THEN round(exp(3 + ((v % 2000)::DOUBLE - 1000) / 500), 2) END AS value
        FROM rows
    """)  # noqa: S608 — numbers
    both = "SELECT * FROM exposures UNION ALL SELECT * FROM happened"
    if day_files:
        con.execute(
            f"COPY (SELECT *, \"at\"::DATE AS day FROM ({both})) TO '{target}' "  # noqa: S608 — our own path
            "(FORMAT parquet, COMPRESSION zstd, PARTITION_BY (day), OVERWRITE_OR_IGNORE)"
        )
        return
    for name in ("exposures", "happened"):
        con.execute(f"COPY {name} TO '{target / name}.parquet' (FORMAT parquet, COMPRESSION zstd)")


def write_units(path: Path, *, scale: float) -> None:
    """Writes one row per unit: an arm, three metrics, and one of them before the experiment."""
    con = duckdb.connect()
    con.execute("SET threads = 2")
    con.execute(f"""
        COPY (
            SELECT range AS unit, CASE WHEN h % 2 = 0 THEN 'a' ELSE 'b' END AS variant,
                   (g % 100 < 12)::INT AS bought,
                   CASE WHEN g % 100 < 12 THEN round(exp(3 + (v % 2000 - 1000)::DOUBLE / 500), 2) ELSE 0.0 END
                       AS revenue,
                   1 + (v >> 12) % 7 AS visits,
                   1000000 + ((v >> 20) % 1000)::DOUBLE / 300 AS latency,
                   1000000 + ((v >> 20) % 1000)::DOUBLE / 400 + ((g >> 20) % 1000)::DOUBLE / 900
                       AS latency_before
            FROM (
                SELECT range, hash(range) AS h, hash(range, 3) AS g,
                       (hash(range, 5) % 4294967296)::BIGINT AS v
                FROM range({int(UNIT_ROWS * scale)})
            )
        ) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
    """)  # noqa: S608 — numbers and our own path
