"""Calls, attempts, outbox, llm_costs."""

from alembic import op

revision = "0006_usage"
down_revision = "0005_budgets"

UPGRADE = r"""
SET ROLE aos_owner;

-- One row a request of a caller, whatever its attempts. Written by aos.usage_record alone.
-- The key begins with the id so that a look-up by id is one probe of one month's index.
CREATE TABLE aos.calls (
  id text NOT NULL,
  created_at timestamptz NOT NULL,
  tenant_id text NOT NULL,
  key_id text NOT NULL,
  agent_id text,
  team_id text,
  user_id text,
  run_id text,
  workflow text,
  session_id text,
  end_user text,
  dialect text NOT NULL,
  provider text,
  model_requested text NOT NULL,
  model text,
  service_tier text,
  status text NOT NULL,
  stream boolean NOT NULL DEFAULT false,
  input_tokens bigint NOT NULL DEFAULT 0,
  cache_read_tokens bigint NOT NULL DEFAULT 0,
  cache_write_5m_tokens bigint NOT NULL DEFAULT 0,
  cache_write_1h_tokens bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  reasoning_tokens bigint NOT NULL DEFAULT 0,
  cost_nanousd bigint,
  estimated boolean NOT NULL DEFAULT false,
  overrun_nanousd bigint NOT NULL DEFAULT 0,
  latency_ms bigint NOT NULL DEFAULT 0,
  time_to_first_token_ms bigint,
  attempts integer NOT NULL DEFAULT 0,
  tags jsonb NOT NULL DEFAULT '{}',
  error jsonb,
  story jsonb NOT NULL DEFAULT '{}',
  recorded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);

CREATE INDEX calls_by_tenant ON aos.calls (tenant_id, created_at, id);
-- With the cost, so that what a key has spent in its life is read from the index alone.
CREATE INDEX calls_by_key ON aos.calls (key_id, created_at) INCLUDE (tenant_id, cost_nanousd);
CREATE INDEX calls_by_agent ON aos.calls (agent_id, created_at) WHERE agent_id IS NOT NULL;
CREATE INDEX calls_by_user ON aos.calls (tenant_id, user_id, created_at) WHERE user_id IS NOT NULL;
CREATE INDEX calls_by_run ON aos.calls (run_id) WHERE run_id IS NOT NULL;

-- One row a dispatch to one provider; a retry or a fallback is another row with its own cost.
CREATE TABLE aos.call_attempts (
  id text NOT NULL,
  created_at timestamptz NOT NULL,
  call_id text NOT NULL,
  tenant_id text NOT NULL,
  agent_id text,
  run_id text,
  number integer NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  status text NOT NULL,
  hold_nanousd bigint NOT NULL,
  cost_nanousd bigint,
  estimated boolean NOT NULL,
  overrun_nanousd bigint NOT NULL DEFAULT 0,
  input_tokens bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  usage jsonb NOT NULL DEFAULT '{}',
  cost_lines jsonb NOT NULL DEFAULT '[]',
  price_id text,
  upstream_status integer,
  upstream_request_id text,
  latency_ms bigint NOT NULL DEFAULT 0,
  error jsonb,
  PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);

CREATE INDEX call_attempts_by_call ON aos.call_attempts (call_id);
CREATE INDEX call_attempts_by_tenant ON aos.call_attempts (tenant_id, created_at);

-- Events for other rooms, written in the transaction of what they tell of.
CREATE TABLE aos.outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id text NOT NULL,
  kind text NOT NULL,
  -- The same event told twice (a retried transaction, two processes) is one row.
  dedupe_key text NOT NULL,
  payload jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  delivered_at timestamptz,
  UNIQUE (tenant_id, kind, dedupe_key)
);
CREATE INDEX outbox_waiting ON aos.outbox (id) WHERE delivered_at IS NULL;

ALTER TABLE aos.calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE aos.call_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE aos.outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON aos.calls FOR SELECT TO aos_app
  USING (tenant_id = aos.current_tenant());
CREATE POLICY own_tenant ON aos.call_attempts FOR SELECT TO aos_app
  USING (tenant_id = aos.current_tenant());
CREATE POLICY own_tenant ON aos.outbox FOR ALL TO aos_app
  USING (tenant_id = aos.current_tenant()) WITH CHECK (tenant_id = aos.current_tenant());
GRANT SELECT ON aos.calls, aos.call_attempts TO aos_app;
GRANT SELECT, INSERT ON aos.outbox TO aos_app;

-- Records a batch of calls and attempts of any tenants. A row that is there already is replaced,
-- unless it is another tenant's, or true where the new one is only an estimate.
CREATE FUNCTION aos.usage_record(calls json, attempts json) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
BEGIN
  INSERT INTO aos.calls AS old (
    id, created_at, tenant_id, key_id, agent_id, team_id, user_id, run_id, workflow, session_id,
    end_user, dialect, provider, model_requested, model, service_tier, status, stream,
    input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens,
    reasoning_tokens, cost_nanousd, estimated, overrun_nanousd, latency_ms, time_to_first_token_ms,
    attempts, tags, error, story)
  SELECT
    id, created_at, tenant_id, key_id, agent_id, team_id, user_id, run_id, workflow, session_id,
    end_user, dialect, provider, model_requested, model, service_tier, status, stream,
    input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens,
    reasoning_tokens, cost_nanousd, estimated, overrun_nanousd, latency_ms, time_to_first_token_ms,
    row.attempts, tags, error, story
  FROM json_to_recordset($1) AS row (
    id text, created_at timestamptz, tenant_id text, key_id text, agent_id text, team_id text,
    user_id text, run_id text, workflow text, session_id text, end_user text, dialect text,
    provider text, model_requested text, model text, service_tier text, status text,
    stream boolean, input_tokens bigint, cache_read_tokens bigint, cache_write_5m_tokens bigint,
    cache_write_1h_tokens bigint, output_tokens bigint, reasoning_tokens bigint,
    cost_nanousd bigint, estimated boolean, overrun_nanousd bigint, latency_ms bigint,
    time_to_first_token_ms bigint, attempts integer, tags jsonb, error jsonb, story jsonb)
  ON CONFLICT (id, created_at) DO UPDATE SET
    agent_id = excluded.agent_id, team_id = excluded.team_id, user_id = excluded.user_id,
    run_id = excluded.run_id, workflow = excluded.workflow, session_id = excluded.session_id,
    end_user = excluded.end_user, provider = excluded.provider, model = excluded.model,
    service_tier = excluded.service_tier, status = excluded.status, stream = excluded.stream,
    input_tokens = excluded.input_tokens, cache_read_tokens = excluded.cache_read_tokens,
    cache_write_5m_tokens = excluded.cache_write_5m_tokens,
    cache_write_1h_tokens = excluded.cache_write_1h_tokens,
    output_tokens = excluded.output_tokens, reasoning_tokens = excluded.reasoning_tokens,
    cost_nanousd = excluded.cost_nanousd, estimated = excluded.estimated,
    overrun_nanousd = excluded.overrun_nanousd, latency_ms = excluded.latency_ms,
    time_to_first_token_ms = excluded.time_to_first_token_ms, attempts = excluded.attempts,
    tags = excluded.tags, error = excluded.error, story = excluded.story,
    recorded_at = excluded.recorded_at
  WHERE old.tenant_id = excluded.tenant_id AND (old.estimated OR NOT excluded.estimated);

  INSERT INTO aos.call_attempts AS old (
    id, created_at, call_id, tenant_id, agent_id, run_id, number, provider, model, status,
    hold_nanousd, cost_nanousd, estimated, overrun_nanousd, input_tokens, output_tokens, usage,
    cost_lines, price_id, upstream_status, upstream_request_id, latency_ms, error)
  SELECT
    id, created_at, call_id, tenant_id, agent_id, run_id, number, provider, model, status,
    hold_nanousd, cost_nanousd, estimated, overrun_nanousd,
    coalesce((row.usage ->> 'input_tokens')::bigint, 0),
    coalesce((row.usage ->> 'output_tokens')::bigint, 0), row.usage,
    cost_lines, price_id, upstream_status, upstream_request_id, latency_ms, error
  FROM json_to_recordset($2) AS row (
    id text, created_at timestamptz, call_id text, tenant_id text, agent_id text, run_id text,
    number integer, provider text, model text, status text, hold_nanousd bigint,
    cost_nanousd bigint, estimated boolean, overrun_nanousd bigint, usage jsonb, cost_lines jsonb,
    price_id text, upstream_status integer, upstream_request_id text, latency_ms bigint,
    error jsonb)
  ON CONFLICT (id, created_at) DO UPDATE SET
    provider = excluded.provider, model = excluded.model, status = excluded.status,
    hold_nanousd = excluded.hold_nanousd, cost_nanousd = excluded.cost_nanousd,
    estimated = excluded.estimated, overrun_nanousd = excluded.overrun_nanousd,
    input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
    usage = excluded.usage, cost_lines = excluded.cost_lines, price_id = excluded.price_id,
    upstream_status = excluded.upstream_status,
    upstream_request_id = excluded.upstream_request_id, latency_ms = excluded.latency_ms,
    error = excluded.error
  WHERE old.tenant_id = excluded.tenant_id AND (old.estimated OR NOT excluded.estimated);
END $$;
GRANT EXECUTE ON FUNCTION aos.usage_record(json, json) TO aos_app;

-- A row an attempt, since each is a charge of its own by its own provider.
CREATE VIEW aos.llm_costs WITH (security_invoker = true) AS
SELECT id, call_id, run_id, agent_id, tenant_id, provider, model, input_tokens, output_tokens,
  cost_nanousd / 10000000.0 AS cost_cents, created_at, cost_nanousd, estimated
FROM aos.call_attempts;
GRANT SELECT ON aos.llm_costs TO aos_app;

SELECT aos.ensure_partitions('calls');
SELECT aos.ensure_partitions('call_attempts');

RESET ROLE;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
