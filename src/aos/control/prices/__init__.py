"""`/api/v1/prices` and `/api/v1/models`: what is sold, what it costs, and since when."""
