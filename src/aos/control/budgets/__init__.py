"""`/api/v1/budgets`: what may be spent, how it stands, and what it was."""
