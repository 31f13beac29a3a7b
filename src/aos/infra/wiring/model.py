"""Ports and the report on them."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aos.infra.errors import StubsInProduction


@dataclass(frozen=True, slots=True)
class Port:
    """`implementation` stands behind the port `name`, chosen by `env_var`, written in `file`.

    `real` is False for a stub; then `fix` says what to set to have the real one.
    """

    name: str
    implementation: str
    real: bool
    env_var: str | None
    file: str
    fix: str | None = None

    def row(self) -> dict[str, Any]:
        """As `aos doctor --json` prints it."""
        return {
            "name": self.name,
            "mock": not self.real,
            "file": self.file,
            "wired": self.implementation,
            "env_var": self.env_var,
            "fix": self.fix,
        }


Check = Callable[[], Awaitable[Mapping[str, Any] | None]]
"""Raises when the thing does not work; may return details for the health answer."""


@dataclass(frozen=True, slots=True)
class Probe:
    """How to ask what stands behind a port whether it works. Without an `essential` one nothing
    can be served; without another, less.
    """

    port: Port
    check: Check
    essential: bool = False


def port(
    name: str,
    implementation: object,
    *,
    real: bool = True,
    env_var: str | None = None,
    fix: str | None = None,
) -> Port:
    """A port by the object, class or function that stands behind it."""
    thing = implementation
    if not (inspect.isclass(thing) or inspect.isfunction(thing) or inspect.ismodule(thing)):
        thing = type(thing)
    return Port(name, thing.__name__, real, env_var, _file(thing), None if real else fix)


def report(ports: Iterable[Port]) -> list[dict[str, Any]]:
    """The rows of the wiring report, stubs first."""
    return [each.row() for each in sorted(ports, key=lambda port: (port.real, port.name))]


def require_real(ports: Iterable[Port]) -> None:
    """Raises StubsInProduction, naming each stub and how to be rid of it."""
    stubs = [each for each in ports if not each.real]
    if stubs:
        fixes = "; ".join(
            f"{stub.name} is {stub.implementation}: {stub.fix or 'configure it'}" for stub in stubs
        )
        raise StubsInProduction(f"a production profile does not run on stubs: {fixes}")


def _file(thing: Any) -> str:
    """The source file from the package's folder on: `aos/providers/stub.py`."""
    parts = Path(inspect.getfile(thing)).parts
    if "aos" not in parts:
        return parts[-1]
    package = len(parts) - 1 - parts[::-1].index("aos")  # A checkout may be called aos too.
    return "/".join(parts[package:])
