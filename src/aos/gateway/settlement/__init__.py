"""What an attempt came to, put on the books: ledger, call row and attempt row in one commit."""
