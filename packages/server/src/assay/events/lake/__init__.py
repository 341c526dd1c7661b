"""Sealed events: a Delta table of Parquet files per environment, on local disk or in an object store."""
