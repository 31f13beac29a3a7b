"""Roles, schema, change counters, processes."""

from alembic import op

revision = "0001_house"
down_revision = None

UPGRADE = """
-- aos_owner owns every table and every SECURITY DEFINER procedure; aos_app is what queries run as.
-- Neither can log in; the login role is a member of both.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'aos_owner') THEN
    CREATE ROLE aos_owner NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'aos_app') THEN
    CREATE ROLE aos_app NOLOGIN;
  END IF;
  EXECUTE format('GRANT aos_owner, aos_app TO %I', current_user);
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;  -- Another database of this cluster is being migrated at the same moment.
END $$;

CREATE SCHEMA IF NOT EXISTS aos AUTHORIZATION aos_owner;
GRANT USAGE ON SCHEMA aos TO aos_app;
SET ROLE aos_owner;

-- Functions are closed to everybody until a grant opens them.
ALTER DEFAULT PRIVILEGES IN SCHEMA aos REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- The tenant of the running transaction, or NULL. (A custom setting reads '' after a transaction.)
CREATE FUNCTION aos.current_tenant() RETURNS text
LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('aos.tenant', true), '') $$;
GRANT EXECUTE ON FUNCTION aos.current_tenant() TO aos_app;

-- One counter a topic: what a process polls where it cannot LISTEN.
CREATE TABLE aos.changes (
  topic text PRIMARY KEY,
  version bigint NOT NULL DEFAULT 1
);

-- Says that a snapshot is stale: `topic` is 'keys', 'budgets', 'prices', ...
CREATE FUNCTION aos.changed(topic text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
  INSERT INTO aos.changes AS c (topic) VALUES ($1)
  ON CONFLICT (topic) DO UPDATE SET version = c.version + 1;
  SELECT pg_notify('aos_changes', $1);
$$;
GRANT EXECUTE ON FUNCTION aos.changed(text) TO aos_app;
GRANT SELECT ON aos.changes TO aos_app;

-- A process that may own holds. Beaten every few seconds on database time.
CREATE TABLE aos.processes (
  id text PRIMARY KEY,
  host text NOT NULL,
  pid integer NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  beaten_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON aos.processes TO aos_app;

RESET ROLE;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
