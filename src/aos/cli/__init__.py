"""Commands. Prints, never decides."""

from aos.cli.program import main

__all__ = ["main"]
