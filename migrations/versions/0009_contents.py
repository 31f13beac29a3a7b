"""What was asked and answered in calls, where AOS_STORE_PROMPTS keeps it."""

from alembic import op

revision = "0009_contents"
down_revision = "0008_config"

UPGRADE = r"""
SET ROLE aos_owner;

-- Databases that were migrated between two commits before the first release may have all of this
-- already, so each statement holds where it was done before.

-- What was asked and answered: empty unless AOS_STORE_PROMPTS is set. Redacted before it comes here.
CREATE TABLE IF NOT EXISTS aos.call_contents (
  call_id text NOT NULL,
  created_at timestamptz NOT NULL,
  tenant_id text NOT NULL,
  request text NOT NULL,
  answer text NOT NULL,
  cut boolean NOT NULL,
  PRIMARY KEY (call_id, created_at)
) PARTITION BY RANGE (created_at);
ALTER TABLE aos.call_contents ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_tenant ON aos.call_contents;
CREATE POLICY own_tenant ON aos.call_contents FOR SELECT TO aos_app
  USING (tenant_id = aos.current_tenant());
GRANT SELECT ON aos.call_contents TO aos_app;

CREATE OR REPLACE FUNCTION aos.usage_record_contents(contents json) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
  INSERT INTO aos.call_contents (call_id, created_at, tenant_id, request, answer, cut)
  SELECT call_id, created_at, tenant_id, request, answer, cut
  FROM json_to_recordset(contents) AS row (call_id text, created_at timestamptz, tenant_id text,
    request text, answer text, cut boolean)
  ON CONFLICT DO NOTHING;
$$;
GRANT EXECUTE ON FUNCTION aos.usage_record_contents(json) TO aos_app;

SELECT aos.ensure_partitions('call_contents');

RESET ROLE;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
