"""TLS for PostgreSQL's own programs, whose library in the wheel was built without it.

`pg_dump` connects to a Unix socket in a folder of ours; each of its connections is carried to the
real server over TLS as the URL's `sslmode` asks. Only for backup and restore of a hosted database.
"""

import contextlib
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict

from aos.infra.errors import DatabaseUnavailable
from aos.infra.limits import DATABASE_CONNECT_SECONDS_MAX
from aos.infra.postgres.place import SOCKET_NAME

_SSL_REQUEST: Final = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
_PIECE_BYTES: Final = 64 * 1024
_NOT_FOR_THE_PROGRAM: Final = {"password", "channel_binding", "gssencmode", "hostaddr", "port"}


@contextmanager
def connection_for_programs(url: str) -> Iterator[tuple[dict[str, str], str]]:
    """(parameters, password) by which the wheel's programs reach the database of `url`.

    The password is apart, so that it never stands in a command line.
    """
    given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    password = given.get("password", "")
    kept = {
        name: value
        for name, value in given.items()
        if name not in _NOT_FOR_THE_PROGRAM and not name.startswith("ssl")
    }
    host = given.get("host", "")
    if host.startswith("/") or not (host or "hostaddr" in given):
        port = {"port": given["port"]} if "port" in given else {}
        yield kept | port, password
        return
    with _tunnel(given) as folder:
        yield kept | {"host": str(folder)}, password


@contextmanager
def _tunnel(given: Mapping[str, str]) -> Iterator[Path]:
    """The folder of a socket that leads to the server."""
    _connected(given).close()  # Fail here, with its own words, rather than in the program.
    with tempfile.TemporaryDirectory(prefix="aos-") as folder:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(Path(folder) / SOCKET_NAME))
        listener.listen()
        accepting = threading.Thread(target=_accept, args=(listener, given), daemon=True)
        accepting.start()
        try:
            yield Path(folder)
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            accepting.join(DATABASE_CONNECT_SECONDS_MAX)


def _accept(listener: socket.socket, given: Mapping[str, str]) -> None:
    while True:
        try:
            inner, _ = listener.accept()
        except OSError:
            return
        try:
            outer = _connected(given)
        except DatabaseUnavailable:
            inner.close()  # The program says that it lost its connection.
            continue
        _carry(inner, outer)


def _connected(given: Mapping[str, str]) -> socket.socket:
    """A connection to the first of the URL's servers that takes one. Raises DatabaseUnavailable."""
    names = given.get("host", given.get("hostaddr", "")).split(",")
    addresses = given.get("hostaddr", ",".join(names)).split(",")
    ports = given.get("port", "5432").split(",")
    reason = "no host"
    for number, (name, address) in enumerate(zip(names, addresses, strict=False)):
        port = int(ports[number] if number < len(ports) else ports[-1])
        try:
            plain = socket.create_connection((address, port), DATABASE_CONNECT_SECONDS_MAX)
            try:
                carried = _secured(plain, name, given)
            except BaseException:
                plain.close()
                raise
        except OSError as error:
            reason = f"{name}:{port}: {error}"
        else:
            carried.settimeout(None)
            return carried
    raise DatabaseUnavailable(f"the database cannot be reached: {reason}")


def _secured(plain: socket.socket, name: str, given: Mapping[str, str]) -> socket.socket:
    mode = given.get("sslmode", "prefer")
    if mode in {"disable", "allow"}:
        return plain
    context = _context(mode, given)
    if given.get("sslnegotiation") == "direct":
        context.set_alpn_protocols(["postgresql"])
    else:
        plain.sendall(_SSL_REQUEST)
        if plain.recv(1) != b"S":
            if mode == "prefer":
                return plain
            raise ssl.SSLError(f"the server offers no TLS, and sslmode is {mode}")
    return context.wrap_socket(plain, server_hostname=name)


def _context(mode: str, given: Mapping[str, str]) -> ssl.SSLContext:
    """As libpq reads sslmode: `require` encrypts, only `verify-…` checks who answers."""
    roots = given.get("sslrootcert")
    if roots == "system":
        roots = None
    context = ssl.create_default_context(cafile=roots)
    context.check_hostname = mode == "verify-full"
    if mode not in {"verify-ca", "verify-full"}:
        context.verify_mode = ssl.CERT_NONE
    if certificate := given.get("sslcert"):
        context.load_cert_chain(certificate, given.get("sslkey"), given.get("sslpassword"))
    return context


def _carry(inner: socket.socket, outer: socket.socket) -> None:
    for source, target in ((inner, outer), (outer, inner)):
        threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """One direction. Its end is the end of both: PostgreSQL's protocol has no half-close."""
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE_BYTES):
            target.sendall(piece)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
