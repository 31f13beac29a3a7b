"""`/api/v1/tenants`: a key's own tenant; for the operator, every one."""
