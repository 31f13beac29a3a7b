"""Assembly: settings → resources → rooms → ASGI app. The only place that knows concrete classes."""

from aos.app.main import serve
from aos.app.ports import ports_here

__all__ = ["ports_here", "serve"]
