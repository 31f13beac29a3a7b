"""Budgets as people define them: scopes, periods, actions; which of them bind a call."""
