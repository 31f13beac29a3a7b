"""`aos serve`: the gateway, its control plane, and without DATABASE_URL its own PostgreSQL."""

import os
from typing import Annotated

import typer


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on; beats AOS_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on; beats AOS_PORT.")
    ] = None,
) -> None:
    """Start the gateway; Ctrl-C stops all of it."""
    from aos.app import serve as run
    from aos.infra.settings import Settings

    if host is not None:
        os.environ["AOS_HOST"] = host
    if port is not None:
        os.environ["AOS_PORT"] = str(port)
    run(Settings())
