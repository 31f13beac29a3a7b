"""Answers of `/api/v1/tenants`."""

from aos.control.schemas import Answer, Instant


class TenantAnswer(Answer):
    id: str
    name: str
    created_at: Instant
