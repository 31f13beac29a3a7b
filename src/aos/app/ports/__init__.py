"""What stands behind every port of this process, and whether it works."""

from aos.app.ports.service import health_of, ports_here, ports_of, ports_of_core

__all__ = ["health_of", "ports_here", "ports_of", "ports_of_core"]
