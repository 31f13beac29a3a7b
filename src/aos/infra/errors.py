"""Failures of what the rooms stand on."""

from aos.kit.errors import AosError, Conflict, InvalidInput, Unavailable


class DatabaseUnavailable(Unavailable):
    """PostgreSQL cannot be reached, or did not answer in time. Nothing was admitted."""

    code = "database_unavailable"


class DatabaseBusy(DatabaseUnavailable):
    """PostgreSQL answered, and gave this statement up: a lock or the statement took too long, or it
    was in another's way. Nothing was admitted.
    """

    code = "database_busy"


class MigrationFailed(AosError):
    """The database refused a migration; it is as it was before."""

    code = "migration_failed"


class SchemaNewer(AosError):
    """The database was migrated by a newer AOS than this one."""

    code = "schema_newer"
    status = 409


class BackupFailed(AosError):
    """A backup could not be written, or a restore failed and was undone."""

    code = "backup_failed"


class InvalidBackup(InvalidInput):
    """The file is no backup, or cut short."""

    code = "invalid_backup"


class DatabaseNotEmpty(Conflict):
    """A restore would replace what is there."""

    code = "database_not_empty"


class DatabaseInUse(Conflict):
    """A restore needs the database to itself."""

    code = "database_in_use"


class PrivateServerFailed(AosError):
    """The private PostgreSQL did not come up; the message says what to look at."""

    code = "private_server_failed"
    status = 503


class BinariesMissing(PrivateServerFailed):
    """There is no PostgreSQL in the installation; the message names the two ways out."""

    code = "postgres_binaries_missing"


class DiskFull(PrivateServerFailed):
    """The private PostgreSQL has no room left to write."""

    code = "disk_full"


class DataFolderForeign(PrivateServerFailed):
    """The data folder is of another PostgreSQL, another user, or gone; nothing was touched."""

    code = "data_folder_foreign"


class HomeInUse(AosError):
    """Another process serves from this AOS_HOME; the message says which."""

    code = "home_in_use"
    status = 409


class AddressInUse(AosError):
    """The address to listen on is taken, or not this machine's."""

    code = "address_in_use"
    status = 409


class OutboundRefused(AosError):
    """The address may not be called from here. Nothing was sent."""

    code = "outbound_refused"
    status = 502


class ExternalCallsDisabled(OutboundRefused):
    """DISABLE_EXTERNAL_CALLS is set, and this was one. Nothing was sent."""

    code = "external_calls_disabled"
    status = 503


class InvalidUpstreamUrl(InvalidInput):
    """Not a URL that an upstream can have."""

    code = "invalid_upstream_url"


class StubsInProduction(AosError):
    """A production profile would run on stubs; the message names them and what to set."""

    code = "stubs_in_production"
    status = 409


class InvalidSettings(InvalidInput):
    """An environment variable holds what it cannot; the message names it, never its value."""

    code = "invalid_settings"


class HomeUnusable(InvalidSettings):
    """AOS_HOME cannot be made, or not be written to."""

    code = "home_unusable"
