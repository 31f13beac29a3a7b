"""Which provider and model may serve a request: pure decisions over snapshots."""
