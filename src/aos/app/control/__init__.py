"""The control plane over this process's rooms."""

from aos.app.control.service import control_of

__all__ = ["control_of"]
