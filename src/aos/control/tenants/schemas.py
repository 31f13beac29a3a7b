"""Bodies and answers of `/api/v1/tenants`."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from aos.control.schemas import Answer, Body, Instant, Name
from aos.identity import NewTenant, Tenant


class TenantBody(Body):
    """One of them is enough: an id is made, and a name is the id."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] | None = None
    name: Name | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.id is None and self.name is None:
            raise ValueError("needs an id or a name")
        return self


class TenantAnswer(Answer):
    id: str
    name: str
    created_at: Instant

    @classmethod
    def of(cls, tenant: Tenant) -> Self:
        return cls(id=tenant.id, name=tenant.name, created_at=tenant.created_at)


class NewTenantAnswer(TenantAnswer):
    key_id: str
    key: str | None = Field(
        description="The tenant's admin key, this once. Null when a repeated request is answered "
        "again."
    )

    @classmethod
    def made(cls, new: NewTenant) -> Self:
        tenant = new.tenant
        return cls(
            id=tenant.id,
            name=tenant.name,
            created_at=tenant.created_at,
            key_id=new.key_id,
            key=new.secret,
        )

    def lasting(self) -> Self:
        return self.model_copy(update={"key": None})
