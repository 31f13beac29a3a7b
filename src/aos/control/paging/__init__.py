"""Lists in pages: bounded, and steady while rows are added."""
