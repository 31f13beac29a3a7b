"""Budget definitions."""

from alembic import op

revision = "0005_budgets"
down_revision = "0004_ledger"

UPGRADE = r"""
SET ROLE aos_owner;

-- What people define. The money spent under a budget stands in the ledger's accounts, never here.
CREATE TABLE aos.budgets (
  id text PRIMARY KEY,
  tenant_id text NOT NULL REFERENCES aos.tenants (id),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  scope text NOT NULL CHECK (scope IN ('GLOBAL', 'PER_AGENT', 'PER_MODEL', 'PER_WORKFLOW',
    'PER_KEY', 'PER_USER', 'PER_TEAM')),
  scope_value text CHECK (length(scope_value) BETWEEN 1 AND 200),
  period text NOT NULL CHECK (period IN ('DAILY', 'WEEKLY', 'MONTHLY', 'TOTAL')),
  timezone text NOT NULL,
  limit_nanousd bigint NOT NULL CHECK (limit_nanousd BETWEEN 1 AND 1000000000000000000),
  action text NOT NULL CHECK (action IN ('ALERT_ONLY', 'BLOCK', 'DOWNGRADE_MODEL')),
  downgrade_model text,
  warning_percent smallint NOT NULL,
  critical_percent smallint NOT NULL,
  -- `agent:<id>` or `key:<id>` where the budget is a field of another thing.
  managed_by text,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  reset_at_last timestamptz,
  deleted_at timestamptz,
  -- The transaction that wrote this row last: snapshots ask for what is newer than they are.
  written_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
  agent_id text GENERATED ALWAYS AS (CASE WHEN scope = 'PER_AGENT' THEN scope_value END) STORED,
  key_id text GENERATED ALWAYS AS (CASE WHEN scope = 'PER_KEY' THEN scope_value END) STORED,
  -- A budget of a mistyped or foreign agent or key would bind nobody, and look as if it did.
  FOREIGN KEY (tenant_id, agent_id) REFERENCES aos.agents (tenant_id, id),
  FOREIGN KEY (tenant_id, key_id) REFERENCES aos.api_keys (tenant_id, id),
  -- A scope value means somebody; there is nobody in GLOBAL.
  CHECK (scope <> 'GLOBAL' OR scope_value IS NULL),
  -- A call that should be downgraded has somewhere to go.
  CHECK ((action = 'DOWNGRADE_MODEL') = (downgrade_model IS NOT NULL)),
  CHECK (1 <= warning_percent AND warning_percent <= critical_percent AND critical_percent <= 100)
);

-- Config as code finds a budget by its name.
CREATE UNIQUE INDEX budgets_name_live ON aos.budgets (tenant_id, name)
  WHERE deleted_at IS NULL AND managed_by IS NULL;
-- An agent or a key has one budget of its own.
CREATE UNIQUE INDEX budgets_owner_live ON aos.budgets (tenant_id, managed_by)
  WHERE deleted_at IS NULL AND managed_by IS NOT NULL;

CREATE INDEX budgets_written ON aos.budgets (written_by);

CREATE FUNCTION aos.budgets_sign() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  NEW.written_by \:= pg_current_xact_id();
  RETURN NEW;
END $$;
CREATE TRIGGER budgets_signed BEFORE INSERT OR UPDATE ON aos.budgets
  FOR EACH ROW EXECUTE FUNCTION aos.budgets_sign();

ALTER TABLE aos.budgets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON aos.budgets FOR ALL TO aos_app
  USING (tenant_id = aos.current_tenant()) WITH CHECK (tenant_id = aos.current_tenant());
-- No DELETE: a deleted budget keeps its row, since accounts and history refer to it.
GRANT SELECT, INSERT, UPDATE ON aos.budgets TO aos_app;

-- Every tenant's budgets that were written since `mark`, the deleted ones too; without a mark all
-- the live ones. The mark of a snapshot is pg_snapshot_xmin(pg_current_snapshot()), taken before:
-- what is older was committed by then and read, so nothing is missed, however late it commits.
CREATE FUNCTION aos.budgets_since(mark xid8) RETURNS SETOF aos.budgets
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
BEGIN
  IF mark IS NULL THEN
    RETURN QUERY SELECT * FROM aos.budgets WHERE deleted_at IS NULL;
  ELSE
    -- Signatures from the future are those of another cluster, restored here: read at the start.
    RETURN QUERY SELECT * FROM aos.budgets
      WHERE written_by >= mark AND written_by < pg_snapshot_xmax(pg_current_snapshot());
  END IF;
END $$;
GRANT EXECUTE ON FUNCTION aos.budgets_since(xid8) TO aos_app;

-- How a budget stands: the accounts of its running period, however many periods have gone by.
CREATE INDEX accounts_by_period ON aos.accounts (tenant_id, budget_id, period_start);

RESET ROLE;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
