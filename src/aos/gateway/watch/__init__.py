"""Whether anybody is still there to be answered."""
