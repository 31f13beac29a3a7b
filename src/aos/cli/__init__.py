"""Commands. Prints, never decides."""

from aos.cli.main import main

__all__ = ["main"]
