"""Roles, schema, change counters, processes, monthly partitions."""

from alembic import op

revision = "0001_house"
down_revision = None

ROLES = """
-- aos_owner owns every table and every SECURITY DEFINER procedure; aos_app is what queries run as.
-- Neither can log in; the login role is a member of both. Roles belong to the whole cluster, so
-- another database may be migrated at the same moment: whoever comes second goes on.
DO $$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['aos_owner', 'aos_app'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
    IF NOT pg_has_role(current_user, role_name, 'USAGE') THEN
      BEGIN
        EXECUTE format('GRANT %I TO %I', role_name, current_user);
      EXCEPTION
        WHEN unique_violation OR internal_error THEN
          NULL;
        WHEN insufficient_privilege THEN
          RAISE EXCEPTION 'role % exists and % may not use it', role_name, current_user
            USING HINT = format('As the role that made it: GRANT aos_owner, aos_app TO %I',
              current_user);
      END;
    END IF;
  END LOOP;
END $$;

-- Functions are closed to everybody until a grant opens them. (For one schema only, this could not
-- take back what PostgreSQL grants for all.)
ALTER DEFAULT PRIVILEGES FOR ROLE aos_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
"""

UPGRADE = f"""
{ROLES}
ALTER SCHEMA aos OWNER TO aos_owner;
ALTER TABLE aos.schema_version OWNER TO aos_owner;
GRANT USAGE ON SCHEMA aos TO aos_app;
SET ROLE aos_owner;

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

-- Monthly partitions of `parent`, named parent_YYYY_MM: this month, the months ahead, and a DEFAULT
-- that takes what no month holds, so that an insert never fails for want of a partition. Safe to
-- call daily, by anybody, at once. Returns how many it made.
CREATE FUNCTION aos.ensure_partitions(parent text, months_ahead integer DEFAULT 3)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
DECLARE
  made integer = 0;
  month timestamp;
  part text;
BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_partitioned_table JOIN pg_class ON oid = partrelid
    WHERE relname = parent AND relnamespace = to_regnamespace('aos')
  ) THEN
    RAISE EXCEPTION 'aos.% is not a partitioned table', parent;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('aos.ensure_partitions', 0));
  FOR ahead IN -1 .. months_ahead LOOP
    month = date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead);
    part = parent || CASE WHEN ahead < 0 THEN '_default' ELSE to_char(month, '_YYYY_MM') END;
    CONTINUE WHEN to_regclass(format('aos.%I', part)) IS NOT NULL;
    BEGIN
      -- Made apart and attached: that waits for nobody who reads or writes the parent.
      EXECUTE format('CREATE TABLE aos.%I (LIKE aos.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS'
        ' INCLUDING GENERATED INCLUDING STORAGE)', part, parent);
      EXECUTE format('ALTER TABLE aos.%I ATTACH PARTITION aos.%I ', parent, part)
        || CASE WHEN ahead < 0 THEN 'DEFAULT' ELSE format('FOR VALUES FROM (%L) TO (%L)',
          month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC') END;
      -- Rows are reached through the parent, whose policies hold; by itself it shows nothing.
      EXECUTE format('ALTER TABLE aos.%I ENABLE ROW LEVEL SECURITY', part);
      EXECUTE format('REVOKE ALL ON aos.%I FROM PUBLIC, aos_app', part);
      made = made + 1;
    EXCEPTION WHEN check_violation THEN
      RAISE WARNING 'aos.% holds rows of % already, which stay there', parent || '_default', part;
    END;
  END LOOP;
  RETURN made;
END $$;
GRANT EXECUTE ON FUNCTION aos.ensure_partitions(text, integer) TO aos_app;

-- The same for every partitioned table there is. What the daily job calls.
CREATE FUNCTION aos.ensure_every_partition(months_ahead integer DEFAULT 3) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
  SELECT coalesce(sum(aos.ensure_partitions(relname::text, months_ahead)), 0)::integer
  FROM pg_partitioned_table JOIN pg_class ON oid = partrelid
  WHERE relnamespace = to_regnamespace('aos');
$$;
GRANT EXECUTE ON FUNCTION aos.ensure_every_partition(integer) TO aos_app;

RESET ROLE;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
