"""`aos doctor`: what stands behind every port, and whether it is real."""

from typing import Annotated, Final, Literal

import typer

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
        typer.Option(help="Judge as this profile would; default: AOS_ENV."),
    ] = None,
    json: Json = False,
) -> None:
    """Say what stands behind each port. Exit 1 where one of them is a stub."""
    from aos.app import ports_here
    from aos.infra.settings import Settings
    from aos.infra.wiring import report, require_real

    settings = Settings()
    ports = ports_here(settings)
    rows = report(ports)
    stubs = [row["name"] for row in rows if row["mock"]]
    judged = profile or settings.server.environment
    if json:
        print_json({"profile": judged, "ports": rows, "stubs": stubs})
    else:
        print_table(rows, _COLUMNS)
    if judged == "production":
        require_real(ports)
    if stubs:
        raise typer.Exit(1)
