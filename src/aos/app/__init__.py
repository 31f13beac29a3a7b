"""Assembly: settings → resources → rooms → ASGI app. The only place that knows concrete classes."""
