"""Why a configuration was not applied."""

from aos.kit.errors import Forbidden, InvalidInput


class InvalidConfig(InvalidInput):
    """The document does not say what it must; `problems` lists where and why."""

    code = "invalid_config"


class ProvidersForbidden(Forbidden):
    """Only the operator's tenant declares providers.

    A declaration names an environment variable of the gateway's process and the address that its
    value is sent to.
    """

    code = "providers_forbidden"
