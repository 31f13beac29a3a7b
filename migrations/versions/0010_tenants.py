"""The operator makes tenants and lists them."""

from alembic import op

revision = "0010_tenants"
down_revision = "0009_contents"

UPGRADE = r"""
SET ROLE aos_owner;

-- Makes a tenant with its first admin key, in the operator's own transaction, so that the answer
-- that is remembered for a repeated request and the tenant commit together. Answers nothing where
-- the id is taken. The test of the caller's tenant is the second lock: whatever asks on behalf of
-- another tenant than the operator's can neither make a tenant nor see one.
CREATE FUNCTION aos.tenant_create(p_id text, p_name text, p_key_id text, p_prefix text,
  p_digest bytea) RETURNS SETOF aos.tenants
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
DECLARE
  v_tenant aos.tenants;
BEGIN
  IF aos.current_tenant() IS DISTINCT FROM 'default' THEN
    RAISE insufficient_privilege USING MESSAGE = 'only the operator''s tenant makes tenants';
  END IF;
  INSERT INTO aos.tenants (id, name) VALUES (p_id, p_name)
  ON CONFLICT (id) DO NOTHING RETURNING * INTO v_tenant;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  INSERT INTO aos.api_keys (id, tenant_id, name, prefix, scopes)
  VALUES (p_key_id, p_id, 'admin', p_prefix, ARRAY['admin']);
  INSERT INTO aos.api_key_secrets (digest, tenant_id, key_id) VALUES (p_digest, p_id, p_key_id);
  PERFORM aos.changed('keys');
  RETURN NEXT v_tenant;
END $$;
GRANT EXECUTE ON FUNCTION aos.tenant_create(text, text, text, text, bytea) TO aos_app;

-- Tenants by id, those after p_after.
CREATE FUNCTION aos.tenants_listed(p_after text, p_limit integer) RETURNS SETOF aos.tenants
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
BEGIN
  IF aos.current_tenant() IS DISTINCT FROM 'default' THEN
    RAISE insufficient_privilege USING MESSAGE = 'only the operator''s tenant lists tenants';
  END IF;
  RETURN QUERY SELECT * FROM aos.tenants AS t
    WHERE p_after IS NULL OR t.id > p_after ORDER BY t.id LIMIT p_limit;
END $$;
GRANT EXECUTE ON FUNCTION aos.tenants_listed(text, integer) TO aos_app;

RESET ROLE;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
