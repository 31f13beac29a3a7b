"""Declared upstreams and aliases: changed by config as code, read by every call."""

from collections import defaultdict

from aos.infra.errors import InvalidUpstreamUrl, OutboundRefused
from aos.infra.outbound import OutboundPolicy, check_url
from aos.infra.postgres import Database, Transaction
from aos.routing import store
from aos.routing.errors import InvalidRoute
from aos.routing.limits import ALIASES_MAX, DECLARED_MODELS_MAX, UPSTREAMS_MAX
from aos.routing.model import EMPTY_ROUTES, Alias, TenantRoutes, Upstream
from aos.routing.rules import assemble, check_alias, check_upstream


class RouteBook:
    """Every tenant's declarations in memory; `load` again whenever `config` has changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tenants: dict[str, TenantRoutes] = {}

    async def load(self) -> None:
        """Replace the snapshot at once. On failure the old one stays, and the error is raised."""
        upstreams: dict[str, list[Upstream]] = defaultdict(list)
        aliases: dict[str, list[Alias]] = defaultdict(list)
        for tenant_id, upstream in await store.every_upstream(self._database):
            upstreams[tenant_id].append(upstream)
        for tenant_id, alias in await store.every_alias(self._database):
            aliases[tenant_id].append(alias)
        self._tenants = {
            tenant_id: assemble(upstreams[tenant_id], aliases[tenant_id])
            for tenant_id in {*upstreams, *aliases}
        }

    def of(self, tenant_id: str) -> TenantRoutes:
        return self._tenants.get(tenant_id, EMPTY_ROUTES)


class Routing:
    """The verbs on declarations. Each takes the caller's transaction and never commits it."""

    async def upstreams(self, tx: Transaction) -> list[Upstream]:
        return await store.upstreams(tx)

    async def aliases(self, tx: Transaction) -> list[Alias]:
        return await store.aliases(tx)

    async def declared(self, tx: Transaction) -> TenantRoutes:
        """All that the tenant declares, as calls look it up."""
        return assemble(await store.upstreams(tx), await store.aliases(tx))

    async def save_upstream(self, tx: Transaction, tenant_id: str, upstream: Upstream) -> None:
        """Raises InvalidRoute."""
        check_upstream(upstream)
        check_address(upstream)
        if len(upstream.models) > DECLARED_MODELS_MAX:
            raise InvalidRoute(f"provider {upstream.id}: at most {DECLARED_MODELS_MAX} models")
        await store.save_upstream(tx, tenant_id, upstream)
        await store.announce(tx)

    async def delete_upstream(self, tx: Transaction, upstream_id: str) -> None:
        await store.delete_upstream(tx, upstream_id)
        await store.announce(tx)

    async def save_alias(self, tx: Transaction, tenant_id: str, alias: Alias) -> None:
        """`check` afterwards: whether an alias makes sense depends on all of them."""
        await store.save_alias(tx, tenant_id, alias)
        await store.announce(tx)

    async def delete_alias(self, tx: Transaction, name: str) -> None:
        await store.delete_alias(tx, name)
        await store.announce(tx)

    async def check(self, tx: Transaction) -> None:
        """See that the tenant's declarations as a whole make sense. Raises InvalidRoute."""
        aliases = await store.aliases(tx)
        if len(aliases) > ALIASES_MAX:
            raise InvalidRoute(f"at most {ALIASES_MAX} aliases")
        names = {alias.name for alias in aliases}
        for alias in aliases:
            check_alias(alias, names)
        if len(await store.upstreams(tx)) > UPSTREAMS_MAX:
            raise InvalidRoute(f"at most {UPSTREAMS_MAX} providers")


def check_address(upstream: Upstream) -> None:
    """Now, not at the first call: what can never be called is a mistake of whoever writes it.

    Where a name leads is known only when it is called, and is checked then. Raises InvalidRoute.
    """
    try:
        check_url(upstream.base_url, OutboundPolicy())
    except (InvalidUpstreamUrl, OutboundRefused) as error:
        raise InvalidRoute(f"provider {upstream.id}: base_url: {error.message}") from None
