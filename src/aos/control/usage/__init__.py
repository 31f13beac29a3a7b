"""`/api/v1/usage`: what happened, call by call."""
