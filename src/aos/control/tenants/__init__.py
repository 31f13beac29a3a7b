"""`/api/v1/tenants`: the tenant that a key belongs to."""
