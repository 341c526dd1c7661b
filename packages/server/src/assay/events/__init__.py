"""Ingestion: exposures and metric events, each counted once."""
