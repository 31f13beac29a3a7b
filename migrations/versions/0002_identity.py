"""Tenants, agents, API keys and their secrets, idempotent requests."""

from alembic import op

revision = "0002_identity"
down_revision = "0001_house"

UPGRADE = r"""
SET ROLE aos_owner;

CREATE TABLE aos.tenants (
  id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE aos.tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON aos.tenants TO aos_app USING (id = aos.current_tenant());
GRANT SELECT ON aos.tenants TO aos_app;

-- The tenant of a fresh home; the admin key belongs to it.
INSERT INTO aos.tenants (id, name) VALUES ('default', 'default');

CREATE TABLE aos.agents (
  id text PRIMARY KEY,
  tenant_id text NOT NULL REFERENCES aos.tenants (id),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  budget_cents bigint CHECK (budget_cents BETWEEN 0 AND 100000000000),
  budget_alert_threshold double precision NOT NULL
    CHECK (budget_alert_threshold > 0 AND budget_alert_threshold <= 1),
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived')),
  created_at timestamptz NOT NULL DEFAULT now(),
  -- What foreign keys point at, so that nothing of one tenant can name an agent of another.
  UNIQUE (tenant_id, id)
);
-- Config as code finds an agent by its name: among live ones there is only one.
CREATE UNIQUE INDEX agents_live_name ON aos.agents (tenant_id, name) WHERE status = 'active';
ALTER TABLE aos.agents ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON aos.agents TO aos_app USING (tenant_id = aos.current_tenant());
GRANT SELECT, INSERT, UPDATE (name, budget_cents, budget_alert_threshold, status)
  ON aos.agents TO aos_app;

CREATE TABLE aos.api_keys (
  id text PRIMARY KEY,
  tenant_id text NOT NULL REFERENCES aos.tenants (id),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  -- The first letters of the current secret, for people to tell keys apart.
  prefix text NOT NULL CHECK (length(prefix) <= 12),
  -- 'home' and 'environment': the admin key that a start makes; see aos.admin_key_seed.
  origin text NOT NULL DEFAULT 'api' CHECK (origin IN ('api', 'home', 'environment')),
  -- An empty list would be a key that looks alive and may do nothing.
  scopes text[] NOT NULL
    CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['admin', 'invoke', 'read']),
  agent_id text,
  team_id text CHECK (length(team_id) BETWEEN 1 AND 200),
  user_id text CHECK (length(user_id) BETWEEN 1 AND 200),
  models text[] NOT NULL DEFAULT '{}' CHECK (cardinality(models) <= 100),
  tags jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(tags) = 'object'),
  rpm integer CHECK (rpm > 0),
  tpm bigint CHECK (tpm > 0),
  max_parallel integer CHECK (max_parallel > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  UNIQUE (tenant_id, id),
  -- A key cannot charge another tenant's agent.
  FOREIGN KEY (tenant_id, agent_id) REFERENCES aos.agents (tenant_id, id)
);
-- Config as code finds a key by its name: among live ones there is only one.
CREATE UNIQUE INDEX api_keys_live_name ON aos.api_keys (tenant_id, name) WHERE revoked_at IS NULL;
-- AOS_API_KEY names one key: changing the variable changes its secret, never adds a second key.
CREATE UNIQUE INDEX api_keys_environment ON aos.api_keys (origin)
  WHERE origin = 'environment' AND revoked_at IS NULL;
CREATE INDEX api_keys_agent ON aos.api_keys (tenant_id, agent_id) WHERE agent_id IS NOT NULL;
ALTER TABLE aos.api_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON aos.api_keys TO aos_app USING (tenant_id = aos.current_tenant());
GRANT SELECT, INSERT, UPDATE (name, prefix, scopes, agent_id, team_id, user_id, models, tags, rpm,
  tpm, max_parallel, expires_at, revoked_at) ON aos.api_keys TO aos_app;

-- Only SHA-256 digests of secrets. A table of their own, whose digests aos_app cannot read.
CREATE TABLE aos.api_key_secrets (
  digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
  tenant_id text NOT NULL,
  key_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- Set by a rotation: the old secret works until then.
  valid_until timestamptz,
  FOREIGN KEY (tenant_id, key_id) REFERENCES aos.api_keys (tenant_id, id)
);
-- A rotation that dies halfway cannot leave two secrets that work for ever.
CREATE UNIQUE INDEX api_key_secrets_current ON aos.api_key_secrets (key_id)
  WHERE valid_until IS NULL;
CREATE INDEX api_key_secrets_key ON aos.api_key_secrets (tenant_id, key_id);
ALTER TABLE aos.api_key_secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON aos.api_key_secrets TO aos_app USING (tenant_id = aos.current_tenant());
GRANT INSERT, DELETE, SELECT (tenant_id, key_id, created_at, valid_until), UPDATE (valid_until)
  ON aos.api_key_secrets TO aos_app;

-- Answers to writes that carried an Idempotency-Key. The primary key is the authority: a second
-- request with the same key waits for the first one's transaction, then finds its answer.
CREATE TABLE aos.idempotent_requests (
  tenant_id text NOT NULL REFERENCES aos.tenants (id),
  key text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
  -- SHA-256 of method, path and body: the same key with another request is an error.
  request_digest bytea NOT NULL CHECK (octet_length(request_digest) = 32),
  status integer,
  answer bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotent_requests_age ON aos.idempotent_requests (tenant_id, created_at);
ALTER TABLE aos.idempotent_requests ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON aos.idempotent_requests TO aos_app
  USING (tenant_id = aos.current_tenant());
GRANT SELECT, INSERT, UPDATE, DELETE ON aos.idempotent_requests TO aos_app;

-- Makes a tenant, or leaves the one that is there.
CREATE FUNCTION aos.tenant_ensure(p_id text, p_name text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
  INSERT INTO aos.tenants (id, name) VALUES (p_id, p_name) ON CONFLICT (id) DO NOTHING
$$;
GRANT EXECUTE ON FUNCTION aos.tenant_ensure(text, text) TO aos_app;

-- Whose secret this is. Before it is known there is no tenant, so no policy can help: whoever has
-- the digest has the secret.
CREATE FUNCTION aos.key_lookup(p_digest bytea) RETURNS TABLE (
  tenant_id text, key_id text, scopes text[], agent_id text, team_id text, user_id text,
  models text[], tags jsonb, expires_at timestamptz, revoked_at timestamptz,
  valid_until timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
  SELECT k.tenant_id, k.id, k.scopes, k.agent_id, k.team_id, k.user_id, k.models, k.tags,
         k.expires_at, k.revoked_at, s.valid_until
  FROM aos.api_key_secrets AS s JOIN aos.api_keys AS k ON k.id = s.key_id
  WHERE s.digest = p_digest
$$;
GRANT EXECUTE ON FUNCTION aos.key_lookup(bytea) TO aos_app;

-- An agent of a tenant in one round trip, for the path of a call.
CREATE FUNCTION aos.agent_lookup(p_tenant_id text, p_id text) RETURNS SETOF aos.agents
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
  SELECT * FROM aos.agents WHERE tenant_id = p_tenant_id AND id = p_id
$$;
GRANT EXECUTE ON FUNCTION aos.agent_lookup(text, text) TO aos_app;

-- Sees to it that the tenant `default` has an admin key. Answers what became of this secret:
--   created   it is a new admin key
--   replaced  it is the new secret of the key that AOS_API_KEY names; the former one ended
--   present   it was an admin key's working secret already
--   unneeded  (home) another admin key works; this secret was not stored
--   refused   it belongs to a key that is revoked, expired or may not administer
CREATE FUNCTION aos.admin_key_seed(p_key_id text, p_prefix text, p_digest bytea, p_origin text)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
DECLARE
  v_key aos.api_keys;
  v_valid_until timestamptz;
  v_live boolean;
  v_name text;
BEGIN
  -- Two processes that start at once seed one after the other.
  PERFORM FROM aos.tenants WHERE id = 'default' FOR NO KEY UPDATE;

  SELECT k.* INTO v_key FROM aos.api_keys AS k
    JOIN aos.api_key_secrets AS s ON s.key_id = k.id WHERE s.digest = p_digest;
  IF FOUND THEN
    SELECT s.valid_until INTO v_valid_until FROM aos.api_key_secrets AS s WHERE s.digest = p_digest;
    v_live := v_valid_until IS NULL OR v_valid_until > now();
    IF v_key.tenant_id <> 'default' OR NOT 'admin' = ANY (v_key.scopes)
       OR v_key.revoked_at IS NOT NULL OR v_key.expires_at <= now()
       OR NOT (v_live OR (v_key.origin = 'environment' AND p_origin = 'environment')) THEN
      RETURN 'refused';
    END IF;
  END IF;

  IF p_origin = 'home' THEN
    IF v_key.id IS NOT NULL THEN
      RETURN 'present';
    END IF;
    IF EXISTS (
      SELECT FROM aos.api_keys AS k JOIN aos.api_key_secrets AS s ON s.key_id = k.id
      WHERE k.tenant_id = 'default' AND 'admin' = ANY (k.scopes) AND k.revoked_at IS NULL
        AND (k.expires_at IS NULL OR k.expires_at > now())
        AND (s.valid_until IS NULL OR s.valid_until > now())) THEN
      RETURN 'unneeded';
    END IF;
  ELSE
    -- Whatever AOS_API_KEY said before stops working.
    UPDATE aos.api_key_secrets AS s SET valid_until = now()
    FROM aos.api_keys AS k
    WHERE k.id = s.key_id AND k.origin = 'environment' AND s.digest <> p_digest
      AND (s.valid_until IS NULL OR s.valid_until > now());
    IF FOUND THEN
      PERFORM aos.changed('keys');
    END IF;
    IF v_key.id IS NOT NULL AND v_live THEN
      RETURN 'present';
    ELSIF v_key.id IS NOT NULL THEN
      -- AOS_API_KEY went back to an earlier value.
      UPDATE aos.api_key_secrets SET valid_until = NULL WHERE digest = p_digest;
      UPDATE aos.api_keys SET prefix = p_prefix WHERE id = v_key.id;
      PERFORM aos.changed('keys');
      RETURN 'replaced';
    END IF;
    SELECT k.* INTO v_key FROM aos.api_keys AS k
    WHERE k.origin = 'environment' AND k.revoked_at IS NULL;
    IF FOUND THEN
      INSERT INTO aos.api_key_secrets (digest, tenant_id, key_id)
      VALUES (p_digest, v_key.tenant_id, v_key.id);
      UPDATE aos.api_keys SET prefix = p_prefix WHERE id = v_key.id;
      PERFORM aos.changed('keys');
      RETURN 'replaced';
    END IF;
  END IF;

  v_name := CASE p_origin WHEN 'home' THEN 'admin' ELSE 'AOS_API_KEY' END;
  IF EXISTS (SELECT FROM aos.api_keys
             WHERE tenant_id = 'default' AND name = v_name AND revoked_at IS NULL) THEN
    v_name := v_name || ' ' || p_key_id;
  END IF;
  INSERT INTO aos.api_keys (id, tenant_id, name, prefix, origin, scopes)
  VALUES (p_key_id, 'default', v_name, p_prefix, p_origin, ARRAY['admin']);
  INSERT INTO aos.api_key_secrets (digest, tenant_id, key_id)
  VALUES (p_digest, 'default', p_key_id);
  PERFORM aos.changed('keys');
  RETURN 'created';
END $$;
GRANT EXECUTE ON FUNCTION aos.admin_key_seed(text, text, bytea, text) TO aos_app;

RESET ROLE;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
