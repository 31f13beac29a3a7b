"""Which upstreams a tenant can reach: those of the environment, and those it declares."""
