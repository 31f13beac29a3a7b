"""`/agents`, also under `/api/v1`: owners of keys, budgets and (later) runs."""
