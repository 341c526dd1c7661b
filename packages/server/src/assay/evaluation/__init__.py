"""Delivery: decisions from compiled snapshots over OFREP, the datafile, and streams that tell of changes."""
