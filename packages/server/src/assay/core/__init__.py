"""What every domain stands on: configuration, database, clock, logs and telemetry."""
