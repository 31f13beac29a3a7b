"""Why no provider could be chosen for a model, or a declaration was refused."""

from aos.kit.errors import Forbidden, InvalidInput, NotFound


class ModelNotFound(NotFound):
    """Nobody serves a model of this name; `near` lists names that look like it."""

    code = "model_not_found"


class ProviderNotConfigured(NotFound):
    """The model is known, but none of its providers has credentials here."""

    code = "provider_not_configured"


class ModelAmbiguous(InvalidInput):
    """More than one configured provider serves the name; `choices` lists them."""

    code = "model_ambiguous"
    status = 400


class ModelNotAllowed(Forbidden):
    """The key is restricted to other models."""

    code = "model_not_allowed"


class InvalidRoute(InvalidInput):
    """An upstream or alias is not declared as it must be; the message says what to change."""

    code = "invalid_route"
