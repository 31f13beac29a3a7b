"""The HTTP door: uvicorn with a deadline and a limit on everything that a stranger may send.

Knows HTTP and sockets, nothing of what is behind it.
"""

from aos.infra.door.protocol import TELL_WHEN_GONE, DoorProtocol
from aos.infra.door.server import Door, allow_many_connections, open_sockets

__all__ = ["TELL_WHEN_GONE", "Door", "DoorProtocol", "allow_many_connections", "open_sockets"]
