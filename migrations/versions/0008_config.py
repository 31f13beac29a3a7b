"""What a tenant declares in aos.yaml beside the catalogue: upstreams and model aliases."""

from alembic import op

revision = "0008_config"
down_revision = "0007_gateway"

UPGRADE = """
SET ROLE aos_owner;

-- Providers that a tenant declares. api_key_env is the name of an environment variable of the
-- gateway's process: a secret is never stored here. The CHECK keeps a declaration from reading any
-- other variable (DATABASE_URL, our own keys) and sending it to base_url.
CREATE TABLE aos.upstreams (
  tenant_id text NOT NULL REFERENCES aos.tenants (id),
  id text NOT NULL CHECK (id ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  kind text NOT NULL
    CHECK (kind IN ('openai', 'anthropic', 'openai-compatible', 'anthropic-compatible')),
  base_url text NOT NULL CHECK (base_url ~ '^https?://' AND length(base_url) <= 2000),
  api_key_env text CHECK (api_key_env ~ '^[A-Z][A-Z0-9_]*_(KEY|TOKEN)$' AND api_key_env !~ '^AOS_'),
  prices_of text,
  models jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(models) = 'array'),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id)
);

-- Names for one model, or for several in order of preference.
CREATE TABLE aos.aliases (
  tenant_id text NOT NULL REFERENCES aos.tenants (id),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  targets text[] NOT NULL CHECK (cardinality(targets) BETWEEN 1 AND 10),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, name)
);

-- What config as code made or took over. Pruning may remove these and nothing else, so that a file
-- which does not name the admin key, or a budget made by hand, can never take it away.
CREATE TABLE aos.applied (
  tenant_id text NOT NULL REFERENCES aos.tenants (id),
  kind text NOT NULL CHECK (kind IN ('providers', 'aliases', 'agents', 'keys', 'budgets')),
  id text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, kind, id)
);

ALTER TABLE aos.applied ENABLE ROW LEVEL SECURITY;
ALTER TABLE aos.upstreams ENABLE ROW LEVEL SECURITY;
ALTER TABLE aos.aliases ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON aos.upstreams TO aos_app
  USING (tenant_id = aos.current_tenant()) WITH CHECK (tenant_id = aos.current_tenant());
CREATE POLICY own ON aos.aliases TO aos_app
  USING (tenant_id = aos.current_tenant()) WITH CHECK (tenant_id = aos.current_tenant());
CREATE POLICY own ON aos.applied TO aos_app
  USING (tenant_id = aos.current_tenant()) WITH CHECK (tenant_id = aos.current_tenant());
GRANT SELECT, INSERT, DELETE ON aos.applied TO aos_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON aos.upstreams, aos.aliases TO aos_app;

-- The gateway's snapshot needs every tenant's rows at once.
CREATE FUNCTION aos.upstreams_of_every_tenant() RETURNS SETOF aos.upstreams
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
  SELECT * FROM aos.upstreams ORDER BY tenant_id, id
$$;
CREATE FUNCTION aos.aliases_of_every_tenant() RETURNS SETOF aos.aliases
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
  SELECT * FROM aos.aliases ORDER BY tenant_id, name
$$;
GRANT EXECUTE ON FUNCTION aos.upstreams_of_every_tenant(), aos.aliases_of_every_tenant()
  TO aos_app;

RESET ROLE;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
