"""Which provider and model may serve a request: pure.

A name is, in this order: an alias; `provider/model` of a configured provider; a model that the
catalogue or a declaration knows. Only configured providers compete for a bare name.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from fnmatch import translate
from functools import lru_cache
from typing import Final

from aos.routing.errors import (
    InvalidRoute,
    ModelAmbiguous,
    ModelNotAllowed,
    ModelNotFound,
    ProviderNotConfigured,
)
from aos.routing.limits import (
    ALIAS_TARGETS_MAX,
    NAME_LENGTH_MAX,
    NEAR_MATCHES_MAX,
    PATTERN_SETS_CACHED_MAX,
)
from aos.routing.model import Alias, Hints, Target, TenantRoutes, Upstream

_NO_HINTS: Final = Hints()
_UPSTREAM_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_KEY_VARIABLE: Final = re.compile(r"(?!AOS_)[A-Z][A-Z0-9_]{0,120}_(KEY|TOKEN)")
"""Variables that may hold an upstream's key. Anything else in the environment (DATABASE_URL, our
own AOS_API_KEY) must not be reachable by writing its name into a file and an address beside it."""
_PRINTABLE_NAME: Final = re.compile(r"[^\s\x00-\x1f\x7f]+")


def resolve(
    name: str,
    catalogue_providers_of: Callable[[str], tuple[str, ...]],
    configured: Collection[str],
    aliases: Mapping[str, tuple[str, ...]],
    hints: Hints = _NO_HINTS,
    stand_in: str | None = None,
) -> tuple[Target, ...]:
    """Who serves `name`: one target, or an alias's targets in its order.

    `stand_in` is a provider that answers in place of every one that is not configured (the stub).
    Raises ModelNotFound, ProviderNotConfigured, ModelAmbiguous.
    """
    named = aliases.get(name)
    if named is None:
        return (_target(name, catalogue_providers_of, configured, hints, stand_in),)
    return tuple(_target(one, catalogue_providers_of, configured, hints, stand_in) for one in named)


def resolve_for(
    routes: TenantRoutes,
    name: str,
    catalogue_providers_of: Callable[[str], tuple[str, ...]],
    configured: Collection[str],
    hints: Hints = _NO_HINTS,
    stand_in: str | None = None,
) -> tuple[Target, ...]:
    """`resolve` for a tenant: its aliases, and its upstreams beside the configured providers.

    A tenant that declares an upstream has a real provider, so the stand-in stays away.
    """
    upstreams = routes.upstreams
    if not upstreams:
        return resolve(name, catalogue_providers_of, configured, routes.aliases, hints, stand_in)

    def providers_of(model: str) -> tuple[str, ...]:
        known = catalogue_providers_of(model)
        sellers = tuple(
            one.id for one in upstreams.values() if one.prices_of in known and one.id not in known
        )
        declared = routes.providers_of.get(model, ())
        return tuple(dict.fromkeys((*declared, *known, *sellers)))

    return resolve(name, providers_of, {*configured, *upstreams}, routes.aliases, hints)


def _target(
    name: str,
    catalogue_providers_of: Callable[[str], tuple[str, ...]],
    configured: Collection[str],
    hints: Hints,
    stand_in: str | None,
) -> Target:
    provider, slash, model = name.partition("/")
    if slash and model and provider in configured:
        return Target(provider, model)
    known = catalogue_providers_of(name)
    serving = [one for one in known if one in configured]
    if len(serving) == 1:
        return Target(serving[0], name)
    if serving:
        choices = [f"{one}/{name}" for one in serving]
        raise ModelAmbiguous(
            f"{name} is served by more than one configured provider: write one of "
            f"{', '.join(choices)}, or make it an alias",
            model=name,
            choices=choices,
        )
    if stand_in is not None:
        return _stand_in_target(name, known, catalogue_providers_of, stand_in, hints)
    raise _refusal(name, known, catalogue_providers_of, hints)


def _stand_in_target(
    name: str,
    known: tuple[str, ...],
    catalogue_providers_of: Callable[[str], tuple[str, ...]],
    stand_in: str,
    hints: Hints,
) -> Target:
    provider, slash, model = name.partition("/")
    if slash and provider in catalogue_providers_of(model):
        return Target(stand_in, model, price_provider=provider)
    if known:
        return Target(stand_in, name, price_provider=_maker(known, hints))
    raise _refusal(name, known, catalogue_providers_of, hints)


def _maker(known: tuple[str, ...], hints: Hints) -> str:
    """Whose price stands for a name that several sell: one whose key AOS reads, else the first."""
    return next((one for one in known if one in hints.variables), known[0])


def _refusal(
    name: str,
    known: tuple[str, ...],
    catalogue_providers_of: Callable[[str], tuple[str, ...]],
    hints: Hints,
) -> ModelNotFound | ProviderNotConfigured:
    provider, slash, model = name.partition("/")
    if (
        slash
        and model
        and (provider in hints.variables or provider in catalogue_providers_of(model))
    ):
        known = (provider,)
    if not known:
        near = get_close_matches(name, list(hints.names()), n=NEAR_MATCHES_MAX, cutoff=0.6)
        mean = f" Did you mean {', '.join(near)}?" if near else ""
        return ModelNotFound(
            f"no provider serves a model named {name}.{mean} A model that is too new for the price "
            "table can be called as provider/model",
            model=name,
            near=near,
        )
    variables = [hints.variables[one] for one in known if one in hints.variables]
    how = f"set {' or '.join(variables)}, or declare" if variables else "declare"
    return ProviderNotConfigured(
        f"{name} is served by {', '.join(known)}, which is not configured here: {how} a provider "
        "for it in aos.yaml",
        model=name,
        providers=list(known),
        variables=variables,
    )


@lru_cache(maxsize=PATTERN_SETS_CACHED_MAX)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns))


def allowed(patterns: tuple[str, ...], requested: str, target: Target) -> bool:
    """Whether a key restricted to `patterns` may have `requested` served by `target`.

    A pattern is a glob or an alias; it may match the name as it was asked for, the model's own
    name, or `provider/model`. No patterns: everything is allowed.
    """
    if not patterns:
        return True
    matches = _compiled(patterns).match
    return bool(
        matches(requested)
        or matches(target.model)
        or matches(f"{target.price_provider or target.provider}/{target.model}")
    )


def check_allowed(patterns: tuple[str, ...], requested: str, target: Target) -> None:
    """Raises ModelNotAllowed."""
    if not allowed(patterns, requested, target):
        raise ModelNotAllowed(
            f"this key may not use {requested}; it may use {', '.join(patterns)}",
            model=requested,
            allowed=list(patterns),
        )


def check_upstream(upstream: Upstream) -> None:
    """Raises InvalidRoute."""
    if not _UPSTREAM_ID.fullmatch(upstream.id):
        raise InvalidRoute(
            f"provider id {upstream.id!r}: use lower-case letters, digits, - and _, at most 63"
        )
    if not upstream.base_url.startswith(("http://", "https://")):
        raise InvalidRoute(f"provider {upstream.id}: base_url must begin with http:// or https://")
    if not _PRINTABLE_NAME.fullmatch(upstream.base_url) or "#" in upstream.base_url:
        raise InvalidRoute(
            f"provider {upstream.id}: base_url must hold no #, no spaces and no line ends"
        )
    if "@" in upstream.base_url.split("/")[2] or "?" in upstream.base_url:
        raise InvalidRoute(
            f"provider {upstream.id}: base_url must hold no credentials and no query; name the "
            "variable with the key in api_key_env"
        )
    if upstream.api_key_env is not None and not _KEY_VARIABLE.fullmatch(upstream.api_key_env):
        raise InvalidRoute(
            f"provider {upstream.id}: api_key_env {upstream.api_key_env!r} must be the name of an "
            "environment variable that ends in _KEY or _TOKEN and does not begin with AOS_"
        )
    for model in upstream.models:
        _check_name(model.id, f"provider {upstream.id}: model")


def check_alias(alias: Alias, names: Collection[str]) -> None:
    """`names` are all aliases of the tenant: an alias may not lead to another. InvalidRoute."""
    _check_name(alias.name, "alias")
    if not 1 <= len(alias.targets) <= ALIAS_TARGETS_MAX:
        raise InvalidRoute(f"alias {alias.name}: 1 to {ALIAS_TARGETS_MAX} models")
    for target in alias.targets:
        _check_name(target, f"alias {alias.name}: model")
        if target in names and target != alias.name:
            raise InvalidRoute(f"alias {alias.name}: {target} is an alias itself; name the model")


def _check_name(name: str, what: str) -> None:
    if not _PRINTABLE_NAME.fullmatch(name) or len(name) > NAME_LENGTH_MAX:
        raise InvalidRoute(f"{what} {name!r}: at most {NAME_LENGTH_MAX} characters, no spaces")


def assemble(upstreams: Iterable[Upstream], aliases: Iterable[Alias]) -> TenantRoutes:
    """One tenant's declarations as the look-ups of the call path."""
    by_id = {upstream.id: upstream for upstream in upstreams}
    providers_of: dict[str, tuple[str, ...]] = {}
    models = {}
    for upstream in by_id.values():
        for model in upstream.models:
            providers_of[model.id] = (*providers_of.get(model.id, ()), upstream.id)
            models[upstream.id, model.id] = model
    return TenantRoutes(
        aliases={alias.name: alias.targets for alias in aliases},
        upstreams=by_id,
        providers_of=providers_of,
        models=models,
    )
