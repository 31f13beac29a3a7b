"""Accounts, holds, transfers and their procedures."""

from alembic import op

revision = "0004_ledger"
down_revision = "0003_catalog"

TABLES = """
SET ROLE aos_owner;

-- What a budget allows now. Accounts are opened from here, never from a caller's word alone, so
-- that a process with a stale snapshot cannot open a period with a limit that was just changed.
CREATE TABLE aos.account_terms (
  tenant_id text NOT NULL,
  budget_id text NOT NULL,
  limit_nanousd bigint CHECK (limit_nanousd >= 0),
  thresholds smallint[] NOT NULL DEFAULT '{}',
  retired_at timestamptz,
  PRIMARY KEY (tenant_id, budget_id)
);

-- One budget period of one subject. available = limit - pending - posted is not stored.
CREATE TABLE aos.accounts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id text NOT NULL,
  budget_id text NOT NULL,
  subject text NOT NULL DEFAULT '',
  period_start timestamptz NOT NULL,
  period_end timestamptz,
  limit_nanousd bigint CHECK (limit_nanousd >= 0),
  -- Below zero would mean that a hold came back twice.
  pending_nanousd bigint NOT NULL DEFAULT 0 CHECK (pending_nanousd >= 0),
  posted_nanousd bigint NOT NULL DEFAULT 0 CHECK (posted_nanousd >= 0),
  thresholds smallint[] NOT NULL DEFAULT '{}',
  -- The spend at which the next threshold is crossed; NULL when there is none left.
  crossing_nanousd bigint,
  -- Until when somebody waits for room here; settlements announce room only before it.
  waiters_until timestamptz NOT NULL DEFAULT '-infinity',
  retired_at timestamptz,
  CHECK (period_end > period_start),
  FOREIGN KEY (tenant_id, budget_id) REFERENCES aos.account_terms,
  -- One account a period and subject: two would be two limits.
  UNIQUE (tenant_id, budget_id, subject, period_start)
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 200);

-- Money set aside for one attempt of a call. `created_at` is the time in the id.
-- dispatched -> posted | voided | expired; expired -> posted | voided (a late settlement).
-- Ids sort by bytes: the cheapest comparison, and the same one everywhere that locks in order.
CREATE TABLE aos.holds (
  id text COLLATE "C" NOT NULL,
  created_at timestamptz NOT NULL,
  tenant_id text NOT NULL,
  call_id text NOT NULL,
  process_id text NOT NULL,
  amount_nanousd bigint NOT NULL CHECK (amount_nanousd BETWEEN 0 AND 1000000000000000),
  account_ids bigint[] NOT NULL,
  enforced boolean[] NOT NULL,
  state text NOT NULL DEFAULT 'dispatched'
    CHECK (state IN ('dispatched', 'posted', 'voided', 'expired')),
  cost_nanousd bigint CHECK (cost_nanousd >= 0),
  estimated boolean NOT NULL DEFAULT false,
  ended_at timestamptz,
  -- All that the call's row needs if nobody ever settles this hold; dropped when it ends.
  call json,
  CHECK (cardinality(account_ids) = cardinality(enforced)),
  -- A hold without an account would be spend off the books. (See aos.ledger_cancel.)
  CHECK (state = 'voided' OR cardinality(account_ids) > 0),
  CHECK ((state = 'dispatched') = (ended_at IS NULL)),
  CHECK ((state = 'dispatched') = (cost_nanousd IS NULL)),
  CHECK ((state = 'dispatched') = (call IS NOT NULL)),
  PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
-- What the reaper asks for; holds that ended are not in it.
CREATE INDEX holds_dispatched ON aos.holds (process_id) WHERE state = 'dispatched';

-- The journal: one line an account and entry. Never changed; a correction is a new line.
CREATE TABLE aos.transfers (
  hold_id text COLLATE "C" NOT NULL,
  created_at timestamptz NOT NULL,
  account_id bigint NOT NULL,
  tenant_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('hold', 'post', 'void', 'expire', 'correct')),
  available_delta bigint NOT NULL,
  pending_delta bigint NOT NULL,
  posted_delta bigint NOT NULL,
  booked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Of a hold on an enforced limit: the limit, and what was committed against it with this line.
  limit_nanousd bigint,
  committed_nanousd bigint,
  -- Money only moves, it does not appear.
  CHECK (available_delta + pending_delta + posted_delta = 0),
  -- No enforced hold was ever granted over its limit.
  CHECK (committed_nanousd <= limit_nanousd),
  -- A hold is taken once, posted once, corrected once.
  PRIMARY KEY (hold_id, account_id, kind, created_at)
) PARTITION BY RANGE (created_at);

CREATE TABLE aos.threshold_crossings (
  account_id bigint NOT NULL REFERENCES aos.accounts,
  percent smallint NOT NULL,
  tenant_id text NOT NULL,
  budget_id text NOT NULL,
  limit_nanousd bigint NOT NULL,
  posted_nanousd bigint NOT NULL,
  crossed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Each threshold of a period alerts exactly once, whatever the replicas and restarts.
  PRIMARY KEY (account_id, percent)
);

-- `created_at` is the hold's, so an entry's lines live beside their hold.
SELECT aos.ensure_partitions('holds');
SELECT aos.ensure_partitions('transfers');

CREATE FUNCTION aos.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of % are never changed; book a correction', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER transfers_immutable BEFORE UPDATE OR DELETE ON aos.transfers
  FOR EACH ROW EXECUTE FUNCTION aos.refuse_change();
CREATE TRIGGER transfers_kept BEFORE TRUNCATE ON aos.transfers
  FOR EACH STATEMENT EXECUTE FUNCTION aos.refuse_change();

ALTER TABLE aos.account_terms ENABLE ROW LEVEL SECURITY;
ALTER TABLE aos.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE aos.holds ENABLE ROW LEVEL SECURITY;
ALTER TABLE aos.transfers ENABLE ROW LEVEL SECURITY;
ALTER TABLE aos.threshold_crossings ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON aos.account_terms TO aos_app USING (tenant_id = aos.current_tenant());
CREATE POLICY own ON aos.accounts TO aos_app USING (tenant_id = aos.current_tenant());
CREATE POLICY own ON aos.holds TO aos_app USING (tenant_id = aos.current_tenant());
CREATE POLICY own ON aos.transfers TO aos_app USING (tenant_id = aos.current_tenant());
CREATE POLICY own ON aos.threshold_crossings TO aos_app USING (tenant_id = aos.current_tenant());
-- Reading only: money is written by the procedures below and by nothing else.
GRANT SELECT ON aos.account_terms, aos.accounts, aos.holds, aos.transfers, aos.threshold_crossings
  TO aos_app;
"""

ACCOUNTS = """
-- The least spend, above `posted`, at which a threshold is crossed; NULL when none is left.
CREATE FUNCTION aos.crossing_next(limit_nanousd bigint, thresholds smallint[], posted bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT min(due) FROM (
    SELECT ceil(limit_nanousd::numeric * percent / 100)::bigint AS due
    FROM unnest(thresholds) AS t (percent)) AS d
  WHERE due > posted
$$;

-- Books every threshold that these (locked) accounts' spend has reached, each at most once.
CREATE FUNCTION aos.ledger_cross(accounts bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, aos AS $$
BEGIN
  INSERT INTO aos.threshold_crossings
    (account_id, percent, tenant_id, budget_id, limit_nanousd, posted_nanousd)
  SELECT a.id, t.percent, a.tenant_id, a.budget_id, a.limit_nanousd, a.posted_nanousd
  FROM aos.accounts a CROSS JOIN unnest(a.thresholds) AS t (percent)
  WHERE a.id = ANY (accounts) AND a.limit_nanousd IS NOT NULL AND a.posted_nanousd > 0
    AND a.posted_nanousd::numeric * 100 >= a.limit_nanousd::numeric * t.percent
  ON CONFLICT DO NOTHING;
  UPDATE aos.accounts a
  SET crossing_nanousd = aos.crossing_next(a.limit_nanousd, a.thresholds, a.posted_nanousd)
  WHERE a.id = ANY (accounts);
END $$;

-- Tells waiting processes that these accounts may have room.
CREATE FUNCTION aos.ledger_announce(accounts bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, aos AS $$
BEGIN
  FOR head IN 1..coalesce(cardinality(accounts), 0) BY 300 LOOP  -- A payload is < 8,000 bytes.
    PERFORM pg_notify('aos_room', array_to_string(accounts[head : head + 299], ','));
  END LOOP;
END $$;

-- Opens accounts, or finds them: one id an element, in order. Elements: tenant_id, budget_id,
-- subject, period_start, period_end, limit_nanousd, thresholds (the last two are used only when
-- the budget is new to the ledger; afterwards its terms decide).
CREATE FUNCTION aos.ledger_open(accounts json) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
DECLARE
  result text;
BEGIN
  INSERT INTO aos.account_terms (tenant_id, budget_id, limit_nanousd, thresholds)
  SELECT DISTINCT ON (x.tenant_id, x.budget_id)
    x.tenant_id, x.budget_id, x.limit_nanousd, coalesce(x.thresholds, '{}')
  FROM json_to_recordset(accounts) AS x
    (tenant_id text, budget_id text, limit_nanousd bigint, thresholds smallint[])
  ORDER BY x.tenant_id, x.budget_id
  ON CONFLICT DO NOTHING;

  -- Waits for a change of limit that is under way, and keeps the next one out until we are done.
  PERFORM FROM aos.account_terms t
  WHERE (t.tenant_id, t.budget_id) IN (
    SELECT x.tenant_id, x.budget_id
    FROM json_to_recordset(accounts) AS x (tenant_id text, budget_id text))
  ORDER BY t.tenant_id, t.budget_id FOR SHARE;

  INSERT INTO aos.accounts (tenant_id, budget_id, subject, period_start, period_end,
    limit_nanousd, thresholds, crossing_nanousd, retired_at)
  SELECT DISTINCT ON (x.tenant_id, x.budget_id, x.subject, x.period_start)
    x.tenant_id, x.budget_id, x.subject, x.period_start, x.period_end, t.limit_nanousd,
    t.thresholds, aos.crossing_next(t.limit_nanousd, t.thresholds, 0), t.retired_at
  FROM json_to_recordset(accounts) AS x (tenant_id text, budget_id text, subject text,
    period_start timestamptz, period_end timestamptz)
  JOIN aos.account_terms t USING (tenant_id, budget_id)
  ORDER BY x.tenant_id, x.budget_id, x.subject, x.period_start
  ON CONFLICT DO NOTHING;

  SELECT json_agg(a.id ORDER BY x.ordinality) INTO result
  FROM ROWS FROM (json_to_recordset(accounts) AS
    (tenant_id text, budget_id text, subject text, period_start timestamptz))
    WITH ORDINALITY AS x (tenant_id, budget_id, subject, period_start, ordinality)
  JOIN aos.accounts a USING (tenant_id, budget_id, subject, period_start);
  RETURN result;
END $$;

-- Changes what a budget allows, for the periods now open and those to come. Only of the tenant
-- whose transaction this is.
CREATE FUNCTION aos.ledger_set_terms(budget text, new_limit bigint, new_thresholds smallint[])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
DECLARE
  tenant text := aos.current_tenant();
  touched bigint[];
  awaited bigint[];
BEGIN
  INSERT INTO aos.account_terms AS t (tenant_id, budget_id, limit_nanousd, thresholds)
  VALUES (tenant, budget, new_limit, new_thresholds)
  ON CONFLICT (tenant_id, budget_id) DO UPDATE
  SET limit_nanousd = new_limit, thresholds = new_thresholds, retired_at = NULL;

  SELECT array_agg(id), array_agg(id) FILTER (WHERE waiters_until > clock_timestamp())
  INTO touched, awaited
  FROM (SELECT id, waiters_until FROM aos.accounts
    WHERE tenant_id = tenant AND budget_id = budget
      AND (period_end IS NULL OR period_end > clock_timestamp())
    ORDER BY id FOR NO KEY UPDATE) AS locked;
  IF touched IS NULL THEN
    RETURN;
  END IF;
  UPDATE aos.accounts SET limit_nanousd = new_limit, thresholds = new_thresholds, retired_at = NULL
  WHERE id = ANY (touched);
  PERFORM aos.ledger_cross(touched);
  PERFORM aos.ledger_announce(awaited);
END $$;

-- A budget that was deleted binds nobody: its accounts stay on the books without a limit.
CREATE FUNCTION aos.ledger_retire(budget text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
DECLARE
  tenant text := aos.current_tenant();
  awaited bigint[];
BEGIN
  UPDATE aos.account_terms SET retired_at = clock_timestamp()
  WHERE tenant_id = tenant AND budget_id = budget;
  PERFORM FROM aos.accounts WHERE tenant_id = tenant AND budget_id = budget
  ORDER BY id FOR NO KEY UPDATE;
  UPDATE aos.accounts SET retired_at = clock_timestamp(), crossing_nanousd = NULL
  WHERE tenant_id = tenant AND budget_id = budget AND retired_at IS NULL;
  SELECT array_agg(id) INTO awaited FROM aos.accounts
  WHERE tenant_id = tenant AND budget_id = budget AND waiters_until > clock_timestamp();
  PERFORM aos.ledger_announce(awaited);
END $$;
"""

HOLD = """
-- Takes holds from their accounts, each all or none, each with its own outcome:
--   0 granted, 1 granted before (a repeat), 2 full, 3 foreign or unknown account,
--   4 closed (the period is over), 5 ended (this hold was settled before), 6 conflict (the same
--   id with another body).
-- `account_ids` are sorted and unique. `holds` are columns: of each hold id, call_id, tenant_id,
-- amount, least, wait (seconds), at (milliseconds in the id), call, and `from` .. `to`, its part of
-- the claims; of each claim account (its id), position (in account_ids, from 1, ascending in a
-- hold) and enforced; and the earliest and latest `at`.
-- Answers {"o": outcomes, "f": position of the account that refused, "l", "p", "s": limit, pending
-- and posted of each account after the batch}. `f` is the first account that would not fit the hold
-- even if everything pending came back, else the first that does not fit it now.
-- Sequential scans are off because a plan cached over an empty table would scan a full one.
CREATE FUNCTION aos.ledger_hold(
  process text, asked_at timestamptz, skew_seconds_max double precision, account_ids bigint[], holds json)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, aos SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  skew interval := make_interval(secs => skew_seconds_max);
  -- Of each account.
  ids bigint[];
  tenants text[];
  limits bigint[];
  pendings bigint[];
  posteds bigint[];
  closed boolean[];
  waits timestamptz[];
  changed boolean[] := array_fill(false, ARRAY[cardinality(account_ids)]);
  -- Of each hold.
  h record;
  outcomes smallint[] := '{}';
  refusers integer[] := '{}';
  -- Of each claim: what was committed against its account with it.
  committed bigint[];
  known record;
  granted boolean := false;
  outcome smallint;
  full_now integer;
  full_ever integer;
  hopeless boolean;
  seen integer;
  k integer;
BEGIN
  IF abs(extract(epoch FROM statement_timestamp() - asked_at)) > skew_seconds_max THEN
    RETURN json_build_object('skew', extract(epoch FROM statement_timestamp() - asked_at));
  END IF;
  -- A hold without a lease would count as a dead process's and be expired under its call.
  IF NOT EXISTS (SELECT FROM aos.processes p WHERE p.id = process) THEN
    RETURN '{"unleased": true}';
  END IF;

  -- Every account of the batch in one statement and in the order of ids: no two batches deadlock.
  SELECT array_agg(a.id), array_agg(a.tenant_id), array_agg(a.cap), array_agg(a.pending_nanousd),
    array_agg(a.posted_nanousd), array_agg(a.over), array_agg(a.waiters_until)
  INTO ids, tenants, limits, pendings, posteds, closed, waits
  FROM (
    SELECT id, tenant_id, CASE WHEN retired_at IS NULL THEN limit_nanousd END AS cap,
      pending_nanousd, posted_nanousd, waiters_until,
      asked_at < period_start - skew OR coalesce(asked_at >= period_end + skew, false) AS over
    FROM aos.accounts WHERE id = ANY (account_ids) ORDER BY id FOR NO KEY UPDATE) AS a;
  IF cardinality(ids) IS DISTINCT FROM cardinality(account_ids) THEN
    -- Some are not there at all: line up what is, so that positions hold.
    SELECT array_agg(a.id ORDER BY w.position), array_agg(a.tenant_id ORDER BY w.position),
      array_agg(CASE WHEN a.retired_at IS NULL THEN a.limit_nanousd END ORDER BY w.position),
      array_agg(a.pending_nanousd ORDER BY w.position),
      array_agg(a.posted_nanousd ORDER BY w.position),
      array_agg(asked_at < a.period_start - skew OR coalesce(asked_at >= a.period_end + skew, false)
        ORDER BY w.position),
      array_agg(a.waiters_until ORDER BY w.position)
    INTO ids, tenants, limits, pendings, posteds, closed, waits
    FROM unnest(account_ids) WITH ORDINALITY AS w (id, position)
    LEFT JOIN aos.accounts a ON a.id = w.id;
  END IF;

  SELECT * INTO h FROM json_to_record(holds) AS x (id text[], call_id text[], tenant_id text[],
    amount bigint[], least bigint[], wait double precision[], at timestamptz[], call json[],
    "from" integer[], "to" integer[], account bigint[], position integer[], enforced boolean[],
    earliest timestamptz, latest timestamptz);
  committed := array_fill(0::bigint, ARRAY[cardinality(h.account)]);
  -- Read after the locks: whoever took the same hold a moment ago has committed by now.
  SELECT array_agg(o.id) AS ids, array_agg(o.state) AS states, array_agg(o.tenant_id) AS tenants,
    array_agg(o.call_id) AS calls, array_agg(o.amount_nanousd) AS amounts
  INTO known FROM aos.holds o
  WHERE o.id = ANY (h.id) AND o.created_at BETWEEN h.earliest AND h.latest;

  FOR n IN 1..cardinality(h.id) LOOP
    outcome := 0;
    full_now := NULL;
    full_ever := NULL;
    hopeless := false;
    seen := array_position(known.ids, h.id[n]);
    IF seen IS NOT NULL THEN
      outcome := CASE
        WHEN known.tenants[seen] <> h.tenant_id[n] OR known.calls[seen] <> h.call_id[n]
          OR known.amounts[seen] <> h.amount[n] THEN 6
        WHEN known.states[seen] = 'dispatched' THEN 1 ELSE 5 END;
    ELSE
      seen := array_position(h.id, h.id[n]);
      IF seen < n AND outcomes[seen] = 0 THEN
        outcome := CASE WHEN h.tenant_id[seen] = h.tenant_id[n] AND h.amount[seen] = h.amount[n]
          AND h.call_id[seen] = h.call_id[n] THEN 1 ELSE 6 END;
      END IF;
    END IF;

    IF outcome = 0 THEN
      FOR c IN h."from"[n]..h."to"[n] LOOP
        k := h.position[c];
        IF tenants[k] IS DISTINCT FROM h.tenant_id[n] THEN
          outcome := 3;
          EXIT;
        ELSIF closed[k] THEN
          outcome := 4;
          full_now := k;
          EXIT;
        ELSIF h.enforced[c] AND pendings[k] + posteds[k] + h.amount[n] > limits[k] THEN
          outcome := 2;
          full_now := coalesce(full_now, k);
          IF posteds[k] + h.amount[n] > limits[k] THEN
            full_ever := coalesce(full_ever, k);
          END IF;
          hopeless := hopeless OR posteds[k] + h.least[n] > limits[k];
        END IF;
      END LOOP;
      IF outcome = 0 THEN
        granted := true;
        FOR c IN h."from"[n]..h."to"[n] LOOP
          k := h.position[c];
          pendings[k] := pendings[k] + h.amount[n];
          committed[c] := pendings[k] + posteds[k];
          changed[k] := true;
        END LOOP;
      ELSIF outcome = 2 AND NOT hopeless AND h.wait[n] > 0 THEN
        -- Registered under the account's lock: a settlement either came before and was counted
        -- above, or comes after and sees that somebody waits.
        FOR c IN h."from"[n]..h."to"[n] LOOP
          k := h.position[c];
          IF h.enforced[c] AND pendings[k] + posteds[k] + h.amount[n] > limits[k] THEN
            waits[k] := greatest(waits[k], clock_timestamp() + make_interval(secs => h.wait[n]));
            changed[k] := true;
          END IF;
        END LOOP;
      END IF;
    END IF;
    outcomes[n] := outcome;
    refusers[n] := coalesce(full_ever, full_now);
  END LOOP;

  IF granted THEN
    INSERT INTO aos.holds
      (id, created_at, tenant_id, call_id, process_id, amount_nanousd, account_ids, enforced, call)
    SELECT x.id, x.at, x.tenant_id, x.call_id, process, x.amount, h.account[x.first : x.last],
      h.enforced[x.first : x.last], x.call
    FROM unnest(h.id, h.at, h.tenant_id, h.call_id, h.amount, h.call, h."from", h."to", outcomes)
      AS x (id, at, tenant_id, call_id, amount, call, first, last, outcome)
    WHERE x.outcome = 0;
    INSERT INTO aos.transfers (hold_id, created_at, account_id, tenant_id, kind, available_delta,
      pending_delta, posted_delta, limit_nanousd, committed_nanousd)
    SELECT x.id, x.at, h.account[c], x.tenant_id, 'hold', -x.amount, x.amount, 0,
      CASE WHEN h.enforced[c] THEN limits[h.position[c]] END, committed[c]
    FROM unnest(h.id, h.at, h.tenant_id, h.amount, h."from", h."to", outcomes)
      AS x (id, at, tenant_id, amount, first, last, outcome)
    CROSS JOIN LATERAL generate_series(x.first, x.last) AS c
    WHERE x.outcome = 0;
  END IF;
  UPDATE aos.accounts a SET pending_nanousd = c.pending, waiters_until = c.until
  FROM unnest(ids, pendings, waits, changed) AS c (id, pending, until, changed)
  WHERE a.id = c.id AND c.changed;

  RETURN json_build_object('o', outcomes, 'f', refusers,
    'l', limits, 'p', pendings, 's', posteds);
END $$;
"""

SETTLE = """
-- Ends holds: kind post | void | expire. Holds are locked in the order of ids, then accounts in
-- the order of ids. Outcomes: 0 settled, 1 corrected (it had expired), 2 repeated, 3 unknown hold.
-- `settlements` are columns, each hold at most once, sorted by id: id, tenant_id, kind, cost,
-- estimated; and the earliest and latest time in the ids.
-- Answers {"o": outcomes, "x": overruns, "a": account ids of each element, "i": all account ids,
-- "l", "p", "s": their limits, pending and posted after the batch}.
CREATE FUNCTION aos.ledger_settle(settlements json) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, aos SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  s record;
  h record;
  -- Of each settlement.
  outcomes smallint[];
  overruns bigint[];
  accounts_of text[];
  -- Of each hold that ends.
  end_ids text[] := '{}';
  end_times timestamptz[] := '{}';
  end_tenants text[] := '{}';
  end_kinds text[] := '{}';
  end_lines text[] := '{}';
  end_costs bigint[] := '{}';
  end_estimated boolean[] := '{}';
  end_returned bigint[] := '{}';
  end_posted bigint[] := '{}';
  end_accounts bigint[] := '{}';
  end_first integer[] := '{}';
  end_last integer[] := '{}';
  -- Of each account.
  ids bigint[];
  limits bigint[];
  pendings bigint[];
  posteds bigint[];
  crossings bigint[];
  awaited boolean[];
  touched bigint[] := '{}';
  crossed bigint[] := '{}';
  room bigint[] := '{}';
  account bigint;
  n integer := 1;
  ends integer := 0;
  k integer;
BEGIN
  SELECT * INTO s FROM json_to_record(settlements) AS x (id text[], tenant_id text[], kind text[],
    cost bigint[], estimated boolean[], earliest timestamptz, latest timestamptz);
  outcomes := array_fill(3::smallint, ARRAY[cardinality(s.id)]);
  overruns := array_fill(0::bigint, ARRAY[cardinality(s.id)]);
  accounts_of := array_fill(''::text, ARRAY[cardinality(s.id)]);

  FOR h IN
    SELECT o.id, o.created_at, o.tenant_id, o.amount_nanousd AS amount, o.account_ids, o.state,
      o.cost_nanousd AS cost
    FROM aos.holds o
    WHERE o.id = ANY (s.id) AND o.created_at BETWEEN s.earliest AND s.latest
    ORDER BY o.id FOR NO KEY UPDATE
  LOOP
    WHILE s.id[n] <> h.id LOOP
      n := n + 1;
    END LOOP;
    CONTINUE WHEN s.tenant_id[n] <> h.tenant_id;
    accounts_of[n] := array_to_string(h.account_ids, ',');
    touched := touched || h.account_ids;
    IF h.state = 'dispatched' OR (h.state = 'expired' AND s.kind[n] <> 'expire') THEN
      ends := ends + 1;
      outcomes[n] := CASE h.state WHEN 'expired' THEN 1 ELSE 0 END;
      overruns[n] := greatest(0, s.cost[n] - h.amount);
      end_ids[ends] := h.id;
      end_times[ends] := h.created_at;
      end_tenants[ends] := h.tenant_id;
      end_kinds[ends] := s.kind[n];
      end_lines[ends] := CASE h.state WHEN 'expired' THEN 'correct' ELSE s.kind[n] END;
      end_costs[ends] := s.cost[n];
      end_estimated[ends] := s.estimated[n];
      end_returned[ends] := CASE h.state WHEN 'expired' THEN 0 ELSE h.amount END;
      end_posted[ends] := s.cost[n] - coalesce(h.cost, 0);
      end_first[ends] := cardinality(end_accounts) + 1;
      end_accounts := end_accounts || h.account_ids;
      end_last[ends] := cardinality(end_accounts);
    ELSE
      outcomes[n] := 2;
    END IF;
  END LOOP;

  SELECT array_agg(a.id), array_agg(a.cap), array_agg(a.pending_nanousd),
    array_agg(a.posted_nanousd), array_agg(a.crossing_nanousd), array_agg(a.awaited)
  INTO ids, limits, pendings, posteds, crossings, awaited
  FROM (
    SELECT id, CASE WHEN retired_at IS NULL THEN limit_nanousd END AS cap, pending_nanousd,
      posted_nanousd, crossing_nanousd, waiters_until > clock_timestamp() AS awaited
    FROM aos.accounts WHERE id = ANY (touched) ORDER BY id FOR NO KEY UPDATE) AS a;

  IF ends > 0 THEN
    FOR e IN 1..ends LOOP
      FOR c IN end_first[e]..end_last[e] LOOP
        k := array_position(ids, end_accounts[c]);
        pendings[k] := pendings[k] - end_returned[e];
        posteds[k] := posteds[k] + end_posted[e];
      END LOOP;
    END LOOP;
    UPDATE aos.holds o SET ended_at = clock_timestamp(), call = NULL, cost_nanousd = e.cost,
      estimated = e.estimated,
      state = CASE e.kind WHEN 'post' THEN 'posted' WHEN 'void' THEN 'voided' ELSE 'expired' END
    FROM unnest(end_ids, end_times, end_kinds, end_costs, end_estimated)
      AS e (id, created_at, kind, cost, estimated)
    WHERE o.id = e.id AND o.created_at = e.created_at
      AND o.created_at BETWEEN s.earliest AND s.latest;
    INSERT INTO aos.transfers
      (hold_id, created_at, account_id, tenant_id, kind, available_delta, pending_delta, posted_delta)
    SELECT e.id, e.created_at, end_accounts[c], e.tenant_id, e.line, e.returned - e.posted,
      -e.returned, e.posted
    FROM unnest(end_ids, end_times, end_tenants, end_lines, end_returned, end_posted, end_first,
      end_last) AS e (id, created_at, tenant_id, line, returned, posted, first, last)
    CROSS JOIN LATERAL generate_series(e.first, e.last) AS c;
    UPDATE aos.accounts a SET pending_nanousd = c.pending, posted_nanousd = c.posted
    FROM unnest(ids, pendings, posteds) AS c (id, pending, posted) WHERE a.id = c.id;
    FOR k IN 1..cardinality(ids) LOOP
      IF posteds[k] >= crossings[k] THEN
        crossed := crossed || ids[k];
      END IF;
      IF awaited[k] THEN
        room := room || ids[k];
      END IF;
    END LOOP;
    IF cardinality(crossed) > 0 THEN
      PERFORM aos.ledger_cross(crossed);
    END IF;
    IF cardinality(room) > 0 THEN
      PERFORM aos.ledger_announce(room);
    END IF;
  END IF;
  RETURN json_build_object('o', outcomes, 'x', overruns, 'a', accounts_of, 'i', ids,
    'l', limits, 'p', pendings, 's', posteds);
END $$;

-- Takes back a hold of which nobody knows whether it was committed. Where it was not, a voided
-- row of nothing is left, so that a submission still under way finds its id ended.
-- One hold a transaction: it waits for the hold's own insert, which waits for nobody.
CREATE FUNCTION aos.ledger_cancel(hold text, tenant text, at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
DECLARE
  inserted integer;
BEGIN
  INSERT INTO aos.holds (id, created_at, tenant_id, call_id, process_id, amount_nanousd,
    account_ids, enforced, state, cost_nanousd, ended_at)
  VALUES (hold, at, tenant, '', '', 0, '{}', '{}', 'voided', 0, clock_timestamp())
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS inserted = ROW_COUNT;
  IF inserted = 0 THEN
    PERFORM aos.ledger_settle(json_build_object('id', ARRAY[hold], 'tenant_id', ARRAY[tenant],
      'kind', ARRAY['void'], 'cost', ARRAY[0], 'estimated', ARRAY[false],
      'earliest', at, 'latest', at));
  END IF;
END $$;
"""

LEASES = """
-- Holds whose process has not beaten for so long; locked, skipping those that another reaper has.
CREATE FUNCTION aos.ledger_dead_holds(dead_seconds double precision, rows_max integer)
RETURNS TABLE (id text, tenant_id text, call_id text, amount bigint, call text)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
  SELECT h.id, h.tenant_id, h.call_id, h.amount_nanousd, h.call::text FROM aos.holds h
  WHERE h.state = 'dispatched' AND NOT EXISTS (
    SELECT FROM aos.processes p WHERE p.id = h.process_id
      AND p.beaten_at > clock_timestamp() - make_interval(secs => dead_seconds))
  ORDER BY h.id LIMIT rows_max FOR NO KEY UPDATE OF h SKIP LOCKED
$$;

-- Forgets processes that are long dead and own nothing any more.
CREATE FUNCTION aos.ledger_forget_processes(dead_seconds double precision) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
  DELETE FROM aos.processes p
  WHERE p.beaten_at < clock_timestamp() - make_interval(secs => dead_seconds)
    AND NOT EXISTS (
      SELECT FROM aos.holds h WHERE h.process_id = p.id AND h.state = 'dispatched')
$$;
"""

VERIFY = """
-- Everything that must be true of the books and is not. STABLE: all of it in one snapshot, so it
-- may run while money moves. Sorts and hashes spill to disk: memory stays within work_mem.
CREATE FUNCTION aos.ledger_verify(rows_max integer)
RETURNS TABLE (problem text, tenant_id text, account_id bigint, hold_id text,
  expected bigint, found bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH fold AS (
    SELECT t.account_id, sum(t.pending_delta)::bigint AS pending, sum(t.posted_delta)::bigint AS posted
    FROM aos.transfers t GROUP BY t.account_id
  ), differing AS (
    SELECT a.id, f.account_id AS line_account, a.tenant_id, a.pending_nanousd, a.posted_nanousd,
      coalesce(f.pending, 0) AS pending, coalesce(f.posted, 0) AS posted
    FROM aos.accounts a FULL JOIN fold f ON f.account_id = a.id
  )
  SELECT 'lines without an account', NULL::text, d.line_account, NULL::text, NULL::bigint, d.posted
  FROM differing d WHERE d.id IS NULL
  UNION ALL
  SELECT 'pending is not the sum of its lines', d.tenant_id, d.id, NULL, d.pending, d.pending_nanousd
  FROM differing d WHERE d.pending <> d.pending_nanousd
  UNION ALL
  SELECT 'posted is not the sum of its lines', d.tenant_id, d.id, NULL, d.posted, d.posted_nanousd
  FROM differing d WHERE d.posted <> d.posted_nanousd
  LIMIT rows_max;

  RETURN QUERY
  SELECT 'a line does not sum to zero', t.tenant_id, t.account_id, t.hold_id, 0::bigint,
    t.available_delta + t.pending_delta + t.posted_delta
  FROM aos.transfers t WHERE t.available_delta + t.pending_delta + t.posted_delta <> 0
  UNION ALL
  SELECT 'a hold was granted over its limit', t.tenant_id, t.account_id, t.hold_id,
    t.limit_nanousd, t.committed_nanousd
  FROM aos.transfers t WHERE t.committed_nanousd > t.limit_nanousd
  LIMIT rows_max;

  -- The journal and the holds tell the same story, account by account.
  RETURN QUERY
  WITH told AS (
    SELECT h.id, h.tenant_id, c.account_id,
      CASE h.state WHEN 'dispatched' THEN h.amount_nanousd ELSE 0 END AS pending,
      coalesce(h.cost_nanousd, 0) AS posted
    FROM aos.holds h CROSS JOIN unnest(h.account_ids) AS c (account_id)
  ), booked AS (
    SELECT t.hold_id, t.account_id, sum(t.pending_delta)::bigint AS pending,
      sum(t.posted_delta)::bigint AS posted
    FROM aos.transfers t GROUP BY t.hold_id, t.account_id
  )
  SELECT CASE
      WHEN h.id IS NULL THEN 'lines without a hold'
      WHEN b.hold_id IS NULL THEN 'a hold without lines'
      WHEN h.pending <> b.pending THEN 'what a hold keeps pending is not what its lines say'
      ELSE 'what a hold cost is not what its lines say' END,
    h.tenant_id, coalesce(h.account_id, b.account_id), coalesce(h.id, b.hold_id),
    coalesce(b.pending, 0) + coalesce(b.posted, 0), coalesce(h.pending, 0) + coalesce(h.posted, 0)
  FROM told h FULL JOIN booked b ON b.hold_id = h.id AND b.account_id = h.account_id
  WHERE h.id IS NULL OR b.hold_id IS NULL OR h.pending <> b.pending OR h.posted <> b.posted
  LIMIT rows_max;
END $$;
"""

GRANTS = """
GRANT EXECUTE ON FUNCTION
  aos.ledger_open(json), aos.ledger_set_terms(text, bigint, smallint[]), aos.ledger_retire(text),
  aos.ledger_hold(text, timestamptz, double precision, bigint[], json),
  aos.ledger_settle(json), aos.ledger_cancel(text, text, timestamptz),
  aos.ledger_dead_holds(double precision, integer), aos.ledger_forget_processes(double precision),
  aos.ledger_verify(integer)
TO aos_app;
RESET ROLE;
"""


def upgrade() -> None:
    for statements in (TABLES, ACCOUNTS, HOLD, SETTLE, LEASES, VERIFY, GRANTS):
        op.execute(statements)
