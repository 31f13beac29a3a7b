"""The way out: where the product may connect to, and where it refuses to.

Two rules. `DISABLE_EXTERNAL_CALLS` leaves nothing but loopback. And a URL that a user can name must
not reach what only this machine can see: the cloud's metadata, the neighbours. The address that
was checked is the address that is connected to, whatever DNS says next.
"""

from aos.infra.outbound.rules import OutboundPolicy, check_url, trust
from aos.infra.outbound.service import guarded_connector

__all__ = ["OutboundPolicy", "check_url", "guarded_connector", "trust"]
