"""How a command fails: one line on standard error, and an exit code that scripts can rely on."""

from typing import ClassVar


class CommandFailed(Exception):
    """It was understood and did not work."""

    exit_code: ClassVar[int] = 1


class Misused(CommandFailed):
    """It was asked for wrongly; the message says how to ask."""

    exit_code = 2


class Unreachable(CommandFailed):
    """No gateway answers at AOS_URL."""

    exit_code = 3
