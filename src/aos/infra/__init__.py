"""Postgres, settings, telemetry, snapshots: what the rooms stand on."""
