"""`aos doctor`: what stands behind every port, and whether it is real."""

from typing import Annotated, Any, Final, Literal

import typer

from aos.cli.client import Client, find_key, gateway_url
from aos.cli.errors import CommandFailed, Unreachable
from aos.cli.output import Column, Json, field, print_json, print_table

_COLUMNS: Final[tuple[Column, ...]] = (
    field("port", "name"),
    ("state", lambda row: "STUB" if row["mock"] else "real"),
    field("wired"),
    field("chosen by", "env_var"),
    field("file"),
    field("fix"),
)


def doctor(
    *,
    profile: Annotated[
        Literal["development", "production"] | None,
        typer.Option(help="Judge as this profile would; default: what is judged says AOS_ENV."),
    ] = None,
    json: Json = False,
) -> None:
    """Say what stands behind each port. Exit 1 where one of them is a stub.

    Judged is the gateway at AOS_URL, where one answers; else a process started from this shell.
    """
    wiring, judged = _running()
    if wiring is None:
        wiring = _here()
    rows = wiring["ports"]
    stubs = [row["name"] for row in rows if row["mock"]]
    expected = profile or wiring["profile"]
    if json:
        print_json({"judged": judged, "profile": expected, "ports": rows, "stubs": stubs})
    else:
        print(f"judged: {judged}\n")
        print_table(rows, _COLUMNS)
    if expected == "production":
        _require_real(rows)
    if stubs:
        raise typer.Exit(1)


def _running() -> tuple[dict[str, Any] | None, str]:
    """What the gateway at AOS_URL says of itself, if it does; and what is judged, in words."""
    url = gateway_url()
    here = "the environment of this shell"
    if find_key() is None:
        return None, f"{here} (no key for a gateway at {url}: set AOS_KEY)"
    try:
        wiring = Client().get("/api/v1/wiring")
    except Unreachable:
        return None, f"{here} (no gateway answers at {url})"
    except CommandFailed as failure:
        return None, f"{here} (the gateway at {url} does not tell: {failure})"
    if not isinstance(wiring, dict) or not {"profile", "ports"} <= wiring.keys():
        return None, f"{here} (what answers at {url} is no AOS)"
    return wiring, f"the gateway that answers at {url}"


def _here() -> dict[str, Any]:
    """What a gateway that was started from this shell would run on."""
    from aos.app import ports_here
    from aos.infra.settings import Settings
    from aos.infra.wiring import report

    settings = Settings()
    return {"profile": settings.server.environment, "ports": report(ports_here(settings))}


def _require_real(rows: list[dict[str, Any]]) -> None:
    """Raises StubsInProduction."""
    from aos.infra.wiring import Port, require_real

    require_real(
        Port(row["name"], row["wired"], not row["mock"], row["env_var"], row["file"], row["fix"])
        for row in rows
    )
