"""Which provider and model may serve a request: pure."""
