"""Provider-side objects and their owners."""

from alembic import op

revision = "0007_gateway"
down_revision = "0006_usage"

UPGRADE = """
SET ROLE aos_owner;

-- What a provider keeps for a tenant (stored responses, …). Another tenant's id is a 404.
CREATE TABLE aos.provider_objects (
  provider text NOT NULL,
  object_id text NOT NULL CHECK (length(object_id) <= 300),
  tenant_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (object_id, provider, tenant_id)
);
ALTER TABLE aos.provider_objects ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON aos.provider_objects TO aos_app
  USING (tenant_id = aos.current_tenant());
GRANT SELECT, DELETE ON aos.provider_objects TO aos_app;

-- Mixed tenants in one batch: rows of [tenant, provider, object id].
CREATE FUNCTION aos.gateway_record_objects(objects json) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
  INSERT INTO aos.provider_objects (tenant_id, provider, object_id)
  SELECT o->>0, o->>1, o->>2 FROM json_array_elements(objects) AS o
  ON CONFLICT DO NOTHING;
$$;
GRANT EXECUTE ON FUNCTION aos.gateway_record_objects(json) TO aos_app;

-- Transaction 2 of a batch of calls, in one round trip: what happened first, the money last,
-- because it locks the accounts until the commit. Whatever part there is none of is NULL.
CREATE FUNCTION aos.gateway_end(calls json, attempts json, objects json, settlements json)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
BEGIN
  PERFORM aos.usage_record(calls, attempts);
  IF objects IS NOT NULL THEN
    PERFORM aos.gateway_record_objects(objects);
  END IF;
  RETURN aos.ledger_settle(settlements);
END $$;
GRANT EXECUTE ON FUNCTION aos.gateway_end(json, json, json, json) TO aos_app;

RESET ROLE;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
