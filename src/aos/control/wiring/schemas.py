"""The answer of `/api/v1/wiring`."""

from typing import Literal

from aos.control.schemas import Answer


class PortAnswer(Answer):
    name: str
    mock: bool
    file: str
    wired: str
    env_var: str | None
    fix: str | None


class WiringAnswer(Answer):
    profile: Literal["development", "production"]
    ports: list[PortAnswer]
