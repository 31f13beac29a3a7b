"""What providers keep for tenants: an id belongs to the tenant that made it."""
