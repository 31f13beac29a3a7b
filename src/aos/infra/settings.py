"""Every environment variable, its default and its unit. Built once in `app`, passed down.

Each group is frozen; the alias of a field is the variable's name. `.env.example` lists them all,
and a test keeps it so.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from aos.infra.errors import InvalidSettings
from aos.kit.money import InvalidAmount, parse_usd


class _Group(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only the declared variables: by their fields' names, HOME and HOST would be settings."""
        assert isinstance(env_settings, EnvSettingsSource)
        declared = {name.lower() for name in _variables(settings_cls)}
        env_settings.env_vars = {
            name: value for name, value in env_settings.env_vars.items() if name in declared
        }
        return init_settings, env_settings


def _variables(group: type[BaseSettings]) -> Iterator[str]:
    for field in group.model_fields.values():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            yield from (str(choice) for choice in alias.choices)
        else:
            yield str(alias)


class ServerSettings(_Group):
    host: str = Field(default="127.0.0.1", validation_alias="AOS_HOST")
    """Address to listen on; `0.0.0.0` for every interface."""
    port: int = Field(default=8000, validation_alias="AOS_PORT", ge=0, le=65535)
    """Port to listen on; 0 takes a free one and prints it."""
    home: Path = Field(default=Path("~/.aos"), validation_alias="AOS_HOME")
    """Folder of the admin key and of the private PostgreSQL."""
    admin_key: SecretStr | None = Field(default=None, validation_alias="AOS_API_KEY")
    """The admin key. Unset: the first start makes one and keeps it in AOS_HOME/admin-key."""
    environment: Literal["development", "production"] = Field(
        default="development", validation_alias="AOS_ENV"
    )
    """In production X-Tenant-Id is required, and `aos doctor` fails on every stub."""
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="AOS_LOG_LEVEL"
    )
    """Least severe lines that are logged."""
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", validation_alias="AOS_LOG_FORMAT"
    )
    """JSON or readable lines; auto is readable on a terminal."""
    enforce_tenancy: bool | None = Field(default=None, validation_alias="ENFORCE_TENANCY")
    """X-Tenant-Id is required; unset = only in production."""
    rbac_enforce: bool = Field(default=True, validation_alias="RBAC_ENFORCE")
    """Scopes of keys are tested; turning it off lets every key of a tenant do everything in it."""
    disable_external_calls: bool = Field(default=False, validation_alias="DISABLE_EXTERNAL_CALLS")
    """Every outbound call of the product is refused, loudly; loopback stays allowed."""
    private_upstreams: Literal["allow", "deny"] | None = Field(
        default=None, validation_alias="AOS_PRIVATE_UPSTREAMS"
    )
    """Whether upstreams that `aos.yaml` names may be on this machine or in private networks; unset
    = denied only in production. Base URLs from the environment always may."""

    @property
    def private_upstreams_allowed(self) -> bool:
        if self.private_upstreams is None:
            return self.environment == "development"
        return self.private_upstreams == "allow"

    @property
    def tenancy_enforced(self) -> bool:
        if self.enforce_tenancy is not None:
            return self.enforce_tenancy
        return self.environment == "production"

    @property
    def home_path(self) -> Path:
        return self.home.expanduser().absolute()


class DatabaseSettings(_Group):
    url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    """Unset: a private server under AOS_HOME."""
    direct_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_DIRECT_URL")
    """Where DATABASE_URL is a transaction-mode pooler: for LISTEN and migrations."""
    pooler: bool = Field(default=False, validation_alias="DATABASE_POOLER")
    """DATABASE_URL is a transaction-mode pooler; implied by DATABASE_DIRECT_URL."""
    connections_max: int = Field(
        default=20, validation_alias="AOS_DATABASE_CONNECTIONS_MAX", ge=4, le=200
    )
    """Connections of one process."""

    @field_validator("url", "direct_url")
    @classmethod
    def _names_a_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        """Here, because what a driver says of an address that it cannot read quotes the password.

        Nothing of the text is in the message.
        """
        if url is None:
            return None
        text = url.get_secret_value()
        if not text.startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql:// or postgres://")
        from psycopg import Error
        from psycopg.conninfo import conninfo_to_dict

        try:
            conninfo_to_dict(text)
        except Error:
            raise ValueError(
                "is no address of a database: write letters like %, #, / and @ of the password as "
                "%25, %23, %2F and %40"
            ) from None
        return url


class ProviderSettings(_Group):
    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    """With it, calls of OpenAI models go there."""
    openai_base_url: str = Field(
        default="https://api.openai.com/v1", validation_alias="OPENAI_BASE_URL"
    )
    """Where OpenAI calls go; ends before `/chat/completions`."""
    anthropic_api_key: SecretStr | None = Field(default=None, validation_alias="ANTHROPIC_API_KEY")
    """With it, calls of Anthropic models go there."""
    anthropic_base_url: str = Field(
        default="https://api.anthropic.com",
        validation_alias=AliasChoices("ANTHROPIC_BASE_URL", "ANTHROPIC_API_BASE"),
    )
    """Where Anthropic calls go; ends before `/v1/messages`."""


class LeaseSettings(_Group):
    """Leases belong to processes; a dead process's holds are expired at their bound."""

    beat_seconds: float = Field(default=5.0, validation_alias="AOS_LEASE_BEAT_SECONDS", gt=0)
    """How often a process says that it lives."""
    dead_after_seconds: float = Field(default=30.0, validation_alias="AOS_LEASE_DEAD_SECONDS", gt=0)
    """Silence after which a process's holds are posted at their bound."""


class BudgetSettings(_Group):
    wait_seconds: float = Field(
        default=5.0, validation_alias="AOS_BUDGET_WAIT_SECONDS", ge=0, le=30
    )
    """How long a call may wait for pending holds to return before 429 budget_busy."""
    unpriced_reserve_usd: str = Field(default="1.00", validation_alias="AOS_UNPRICED_RESERVE_USD")
    """Held for a call whose cost has no bound, where no blocking budget refuses it."""
    alert_threshold: float = Field(
        default=0.8, validation_alias="BUDGET_ALERT_THRESHOLD", gt=0, le=1
    )
    """Share of an agent's lifetime budget that raises a warning, unless it has its own."""

    @field_validator("unpriced_reserve_usd")
    @classmethod
    def _is_dollars(cls, value: str) -> str:
        try:
            amount = parse_usd(value)
        except InvalidAmount as error:
            raise ValueError(error.message) from None
        if amount < 0:
            raise ValueError("cannot be negative")
        return value


class GatewaySettings(_Group):
    on_caller_gone: Literal["cancel", "drain"] = Field(
        default="cancel", validation_alias="AOS_ON_CALLER_GONE"
    )
    """When a caller leaves: stop the upstream, or read its answer to the end and post the truth."""
    upstream_timeout_seconds: float = Field(
        default=600.0, validation_alias="AOS_UPSTREAM_TIMEOUT_SECONDS", gt=0
    )
    """Longest silence of an upstream before 504; a stream that keeps talking may last for hours."""
    body_bytes_max: int = Field(
        default=32 * 1024 * 1024, validation_alias="AOS_BODY_BYTES_MAX", gt=0
    )
    """Largest request body, after decompression; then 413."""
    store_prompts: bool = Field(default=False, validation_alias="AOS_STORE_PROMPTS")
    """Prompts and answers are stored nowhere unless this says so, and then redacted of keys."""


class Settings:
    """All groups, read from the environment once. Raises InvalidSettings."""

    def __init__(self) -> None:
        try:
            self.server = ServerSettings()
            self.database = DatabaseSettings()
            self.providers = ProviderSettings()
            self.leases = LeaseSettings()
            self.budgets = BudgetSettings()
            self.gateway = GatewaySettings()
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(str(part) for part in one['loc'])}: {_said(one['msg'])}"
                for one in error.errors(include_input=False, include_url=False)
            )
            # Without the cause: pydantic quotes the value, which may be a secret.
            raise InvalidSettings(wrong) from None


def _said(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Input ")
