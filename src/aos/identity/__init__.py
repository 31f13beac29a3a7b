"""Tenants, users, API keys, agents: who may.

Turns a secret into a Caller within microseconds and forgets it within a second of its revocation.
Refuses to take a user, team or tenant from the caller's word: the key says who calls.
"""

from aos.identity.admin.service import ensure_admin_key
from aos.identity.agents.service import Agents
from aos.identity.errors import (
    AdminKeyRefused,
    AgentArchived,
    AgentMismatch,
    AgentNotFound,
    InvalidKey,
    InvalidLabel,
    KeyEnded,
    KeyExpired,
    KeyMissing,
    KeyNotFound,
    KeyRevoked,
    NameTaken,
    ScopeMissing,
    TenantMismatch,
    TenantRequired,
    Unauthenticated,
)
from aos.identity.keys.service import Keys
from aos.identity.model import (
    AdminKey,
    Agent,
    AgentStatus,
    ApiKey,
    BindingBudget,
    Caller,
    KeyOrigin,
    KeyTerms,
    NewSecret,
    OwnBudget,
    OwnBudgets,
    Owner,
    OwnerKind,
    Scope,
    SpendReader,
    Tenant,
)
from aos.identity.rules import (
    check_tags,
    check_tenant,
    key_from_headers,
    labels_from_headers,
)
from aos.identity.service import Authenticator, News
from aos.identity.tenants.service import Tenants

__all__ = [
    "AdminKey",
    "AdminKeyRefused",
    "Agent",
    "AgentArchived",
    "AgentMismatch",
    "AgentNotFound",
    "AgentStatus",
    "Agents",
    "ApiKey",
    "Authenticator",
    "BindingBudget",
    "Caller",
    "InvalidKey",
    "InvalidLabel",
    "KeyEnded",
    "KeyExpired",
    "KeyMissing",
    "KeyNotFound",
    "KeyOrigin",
    "KeyRevoked",
    "KeyTerms",
    "Keys",
    "NameTaken",
    "NewSecret",
    "News",
    "OwnBudget",
    "OwnBudgets",
    "Owner",
    "OwnerKind",
    "Scope",
    "ScopeMissing",
    "SpendReader",
    "Tenant",
    "TenantMismatch",
    "TenantRequired",
    "Tenants",
    "Unauthenticated",
    "check_tags",
    "check_tenant",
    "ensure_admin_key",
    "key_from_headers",
    "labels_from_headers",
]
