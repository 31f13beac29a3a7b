"""Which limits bind a call, and what happens when it does not fit.

Moves money only through the ledger.
"""
