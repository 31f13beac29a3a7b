"""What stands behind each port of the house, whether it is real, and whether it works.

`app` names the ports when it wires them. `aos doctor` prints them, `/health` asks them.
"""

from aos.infra.wiring.model import Port, Probe, port, report, require_real
from aos.infra.wiring.service import Health

__all__ = ["Health", "Port", "Probe", "port", "report", "require_real"]
