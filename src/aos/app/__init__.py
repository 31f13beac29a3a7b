"""Assembly: settings → resources → rooms → ASGI app. The only place that knows concrete classes."""

from aos.app.main import serve

__all__ = ["serve"]
