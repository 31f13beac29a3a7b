"""Providers, models, versioned prices."""

from alembic import op

revision = "0003_catalog"
down_revision = "0002_identity"

UPGRADE = r"""
SET ROLE aos_owner;

-- Text as a range, so that "the same price key" and "overlapping times" fit one exclusion
-- constraint without an extension (btree_gist is not in every PostgreSQL).
CREATE TYPE aos.text_range AS RANGE (subtype = text, collation = "C");

-- Which price tables were taken in, and how new they are: a warm start compares, and goes on.
CREATE TABLE aos.price_tables (
  name text PRIMARY KEY,
  version text NOT NULL,
  imported_at timestamptz NOT NULL DEFAULT now()
);

-- Vendors. `match` recognises other names of the vendor, `model_match` the look of its models.
CREATE TABLE aos.catalog_providers (
  id text PRIMARY KEY CHECK (id <> '' AND id = lower(id)),
  name text NOT NULL,
  position integer NOT NULL,
  match jsonb,
  model_match jsonb,
  fallbacks text[] NOT NULL DEFAULT '{}',
  source text NOT NULL REFERENCES aos.price_tables
);

-- Models in matching order: the first whose rule fits a name wins. Ceilings are tokens; NULL where
-- nobody has published them.
CREATE TABLE aos.catalog_models (
  provider text NOT NULL REFERENCES aos.catalog_providers,
  id text NOT NULL CHECK (id <> ''),
  position integer NOT NULL,
  name text NOT NULL,
  match jsonb NOT NULL,
  context_window bigint CHECK (context_window > 0),
  output_tokens_max bigint CHECK (output_tokens_max > 0),
  source text NOT NULL REFERENCES aos.price_tables,
  PRIMARY KEY (provider, id)
);

-- True when every number inside is a whole, non-negative count of pico-dollars (or of tokens).
CREATE FUNCTION aos.rates_are_whole(rates jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT NOT jsonb_path_exists(
    rates, 'strict $.** ? (@.type() == "number" && (@ < 0 || @.floor() != @))')
$$;

-- A price of one model during [effective_from, effective_to). `rates` maps a unit to pico-dollars
-- for one, or to {"base", "tiers": [[input tokens above which it holds, pico-dollars]]};
-- `variants` is [[key, value, rates]], the first that fits wins; `surcharges` is [[key, value,
-- percent of every token price]]; `unmetered` names what the model
-- is also billed by that is not counted here, which makes it unpriced.
-- tenant_id NULL = everybody's. `own` = set by people; beats the tables' price.
CREATE TABLE aos.prices (
  id text PRIMARY KEY,
  tenant_id text,
  own boolean NOT NULL DEFAULT false,
  provider text NOT NULL CHECK (provider <> '' AND provider = lower(provider)),
  model text NOT NULL CHECK (model <> ''),
  source text NOT NULL,
  effective_from timestamptz NOT NULL,
  effective_to timestamptz,
  window_start integer,
  window_end integer,
  rates jsonb NOT NULL,
  variants jsonb NOT NULL DEFAULT '[]',
  surcharges jsonb NOT NULL DEFAULT '[]',
  unmetered text[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  -- A table's price is everybody's; a tenant's price is always its own decision.
  CONSTRAINT prices_of_tenants_are_own CHECK (tenant_id IS NULL OR own),
  -- A price in force for no time at all could be billed by nobody and would hide a mistake.
  CONSTRAINT prices_last CHECK (effective_to > effective_from),
  CONSTRAINT prices_window CHECK (
    (window_start IS NULL) = (window_end IS NULL)
    AND window_start >= 0 AND window_end <= 86400 AND window_start < window_end),
  -- A fraction, a negative number or a text in place of a rate would be billed wrongly.
  CONSTRAINT prices_are_whole CHECK (
    jsonb_typeof(rates) = 'object' AND jsonb_typeof(variants) = 'array'
    AND jsonb_typeof(surcharges) = 'array' AND aos.rates_are_whole(surcharges)
    AND aos.rates_are_whole(rates) AND aos.rates_are_whole(variants)),
  -- Two prices of one model at one instant would make a bill depend on the order of rows. The
  -- price for all day lives beside those for an hour of the day, hence the window of its own.
  CONSTRAINT prices_do_not_overlap EXCLUDE USING gist (
    aos.text_range(
      coalesce(tenant_id, '') || chr(31) || own::text || chr(31) || provider || chr(31) || model,
      coalesce(tenant_id, '') || chr(31) || own::text || chr(31) || provider || chr(31) || model,
      '[]') WITH =,
    tstzrange(effective_from, effective_to) WITH &&,
    int4range(coalesce(window_start, -1), coalesce(window_end, 0)) WITH &&)
);
CREATE INDEX prices_by_model ON aos.prices (provider, model, effective_from);

ALTER TABLE aos.prices ENABLE ROW LEVEL SECURITY;
CREATE POLICY prices_visible ON aos.prices FOR SELECT TO aos_app
  USING (tenant_id IS NULL OR tenant_id = aos.current_tenant());
GRANT SELECT ON aos.prices, aos.catalog_models, aos.catalog_providers, aos.price_tables TO aos_app;

-- A price that was in force is part of the bills made with it: only its end may be set.
CREATE FUNCTION aos.prices_keep() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, aos AS $$
BEGIN
  IF (to_jsonb(NEW) - 'effective_to') IS DISTINCT FROM (to_jsonb(OLD) - 'effective_to') THEN
    RAISE EXCEPTION USING MESSAGE = 'a price cannot be changed, only ended: ' || OLD.id,
      ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER prices_keep BEFORE UPDATE ON aos.prices
  FOR EACH ROW EXECUTE FUNCTION aos.prices_keep();

-- The same price has the same id on every database.
CREATE FUNCTION aos.price_id(
  tenant_id text, own boolean, provider text, model text, effective_from timestamptz,
  window_start integer, terms jsonb
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
  SELECT 'price_' || left(encode(sha256(convert_to(jsonb_build_array(
    $1, $2, $3, $4, extract(epoch FROM $5), $6, $7)::text, 'UTF8')), 'hex'), 26)
$$;

-- Only the system (a transaction without a tenant) passes.
CREATE FUNCTION aos.refuse_tenants() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, aos AS $$
BEGIN
  IF aos.current_tenant() IS NOT NULL THEN
    RAISE EXCEPTION USING MESSAGE = 'this belongs to the system, not to a tenant',
      ERRCODE = 'insufficient_privilege';
  END IF;
END $$;

-- The prices of a table document as rows.
CREATE FUNCTION aos.price_rows(providers jsonb) RETURNS TABLE (
  provider text, model text, effective_from timestamptz, effective_to timestamptz,
  window_start integer, window_end integer, rates jsonb, variants jsonb, surcharges jsonb,
  unmetered text[])
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT p.document->>'id', r.model, r.effective_from, r.effective_to, r.window_start,
         r.window_end, r.rates, r.variants, r.surcharges, coalesce(r.unmetered, '{}')
  FROM jsonb_array_elements($1) AS p(document),
       jsonb_to_recordset(p.document->'prices') AS r(
         model text, effective_from timestamptz, effective_to timestamptz, window_start integer,
         window_end integer, rates jsonb, variants jsonb, surcharges jsonb, unmetered text[])
$$;

CREATE FUNCTION aos.listed_models(providers jsonb) RETURNS TABLE (provider text, model text)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT p.document->>'id', m.document->>'id'
  FROM jsonb_array_elements($1) AS p(document),
       jsonb_array_elements(p.document->'models') AS m(document)
$$;

-- Takes in (a part of) a price table. The past stays as it was billed: a price that differs from
-- the table's is ended now and the table's begins now; a model that is new comes with its history.
-- Own prices are left alone. Returns how many prices began or ended. Repeating it changes nothing.
CREATE FUNCTION aos.import_prices(table_name text, table_version text, providers jsonb)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
DECLARE
  at CONSTANT timestamptz NOT NULL = now();
  kept text[];
  step integer;
  total integer NOT NULL = 0;
BEGIN
  PERFORM aos.refuse_tenants();
  PERFORM pg_advisory_xact_lock(1634693888, 3);
  INSERT INTO aos.price_tables AS t (name, version) VALUES (table_name, table_version)
  ON CONFLICT (name) DO UPDATE SET version = EXCLUDED.version, imported_at = now();

  INSERT INTO aos.catalog_providers
  SELECT r.id, r.name, r.position, r.match, r.model_match, coalesce(r.fallbacks, '{}'), table_name
  FROM jsonb_to_recordset(providers) AS r(
    id text, name text, position integer, match jsonb, model_match jsonb, fallbacks text[])
  ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, position = EXCLUDED.position,
    match = EXCLUDED.match, model_match = EXCLUDED.model_match, fallbacks = EXCLUDED.fallbacks,
    source = EXCLUDED.source;

  INSERT INTO aos.catalog_models
  SELECT p.document->>'id', r.id, r.position, r.name, r.match, r.context_window,
         r.output_tokens_max, table_name
  FROM jsonb_array_elements(providers) AS p(document),
       jsonb_to_recordset(p.document->'models') AS r(
         id text, position integer, name text, match jsonb, context_window bigint,
         output_tokens_max bigint)
  ON CONFLICT (provider, id) DO UPDATE SET position = EXCLUDED.position, name = EXCLUDED.name,
    match = EXCLUDED.match, context_window = EXCLUDED.context_window,
    output_tokens_max = EXCLUDED.output_tokens_max, source = EXCLUDED.source;

  -- What stands already, seen from now on, may stay.
  SELECT coalesce(array_agg(e.id), '{}') INTO kept
  FROM aos.price_rows(providers) AS i
  JOIN aos.prices AS e ON NOT e.own AND e.provider = i.provider AND e.model = i.model
    AND e.window_start IS NOT DISTINCT FROM i.window_start
    AND e.window_end IS NOT DISTINCT FROM i.window_end
    AND greatest(e.effective_from, at) = greatest(i.effective_from, at)
    AND e.effective_to IS NOT DISTINCT FROM i.effective_to
    AND e.rates = i.rates AND e.variants = i.variants AND e.surcharges = i.surcharges
    AND e.unmetered = i.unmetered
  WHERE e.effective_to IS NULL OR e.effective_to > at;

  -- The rest of the models in the table: what has not begun goes, what is in force ends now.
  DELETE FROM aos.prices AS e
  USING aos.listed_models(providers) AS l
  WHERE NOT e.own AND e.provider = l.provider AND e.model = l.model
    AND e.effective_from >= at AND e.id <> ALL (kept);
  GET DIAGNOSTICS step = ROW_COUNT;
  total := total + step;
  UPDATE aos.prices AS e SET effective_to = at
  FROM aos.listed_models(providers) AS l
  WHERE NOT e.own AND e.provider = l.provider AND e.model = l.model
    AND e.effective_from < at AND (e.effective_to IS NULL OR e.effective_to > at)
    AND e.id <> ALL (kept);
  GET DIAGNOSTICS step = ROW_COUNT;
  total := total + step;

  INSERT INTO aos.prices (id, own, provider, model, source, effective_from, effective_to,
    window_start, window_end, rates, variants, surcharges, unmetered)
  SELECT aos.price_id(NULL, false, i.provider, i.model, starts.instant, i.window_start,
           jsonb_build_array(i.rates, i.variants, i.surcharges, i.unmetered)),
         false, i.provider, i.model, table_name, starts.instant, i.effective_to, i.window_start,
         i.window_end, i.rates, i.variants, i.surcharges, i.unmetered
  FROM aos.price_rows(providers) AS i
  LEFT JOIN (SELECT DISTINCT e.provider, e.model FROM aos.prices AS e WHERE NOT e.own) AS known
    ON known.provider = i.provider AND known.model = i.model
  CROSS JOIN LATERAL (
    SELECT CASE WHEN known.provider IS NULL THEN i.effective_from
                ELSE greatest(i.effective_from, at) END) AS starts(instant)
  WHERE known.provider IS NULL OR (
    (i.effective_to IS NULL OR i.effective_to > at)
    AND NOT EXISTS (
      SELECT FROM aos.prices AS e
      WHERE e.id = ANY (kept) AND e.provider = i.provider AND e.model = i.model
        AND e.window_start IS NOT DISTINCT FROM i.window_start
        AND greatest(e.effective_from, at) = starts.instant));
  GET DIAGNOSTICS step = ROW_COUNT;
  total := total + step;

  PERFORM aos.changed('prices');
  RETURN total;
END $$;
GRANT EXECUTE ON FUNCTION aos.import_prices(text, text, jsonb) TO aos_app;

-- Sets an own price: the tenant's of this transaction, or (without a tenant) the operator's for
-- everybody. The one in force ends where it begins; it lasts until the next one, unless it says
-- otherwise. What was set before and is the same answers with the id it has.
CREATE FUNCTION aos.put_price(price jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
DECLARE
  asked aos.prices = jsonb_populate_record(NULL::aos.prices, price);
  found_id text;
BEGIN
  IF asked.tenant_id IS DISTINCT FROM aos.current_tenant() THEN
    RAISE EXCEPTION USING MESSAGE = 'a price of another tenant',
      ERRCODE = 'insufficient_privilege';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(
    concat_ws(chr(31), 'aos.prices', asked.tenant_id, asked.provider, asked.model), 0));
  SELECT e.id INTO found_id FROM aos.prices AS e
  WHERE e.own AND e.tenant_id IS NOT DISTINCT FROM asked.tenant_id
    AND e.provider = asked.provider AND e.model = asked.model
    AND e.rates = asked.rates AND e.variants = asked.variants
    AND (e.effective_from = asked.effective_from
         OR (asked.effective_from IS NULL AND e.effective_from <= now()
             AND (e.effective_to IS NULL OR e.effective_to > now())))
    AND (asked.effective_to IS NULL OR e.effective_to = asked.effective_to);
  IF found_id IS NOT NULL THEN
    RETURN found_id;
  END IF;
  asked.effective_from := coalesce(asked.effective_from, now());
  DELETE FROM aos.prices AS e
  WHERE e.own AND e.tenant_id IS NOT DISTINCT FROM asked.tenant_id
    AND e.provider = asked.provider AND e.model = asked.model
    AND e.effective_from = asked.effective_from AND e.effective_from > now();
  UPDATE aos.prices AS e SET effective_to = asked.effective_from
  WHERE e.own AND e.tenant_id IS NOT DISTINCT FROM asked.tenant_id
    AND e.provider = asked.provider AND e.model = asked.model
    AND e.effective_from < asked.effective_from
    AND (e.effective_to IS NULL OR e.effective_to > asked.effective_from);
  IF asked.effective_to IS NULL THEN
    SELECT min(e.effective_from) INTO asked.effective_to FROM aos.prices AS e
    WHERE e.own AND e.tenant_id IS NOT DISTINCT FROM asked.tenant_id
      AND e.provider = asked.provider AND e.model = asked.model
      AND e.effective_from > asked.effective_from;
  END IF;
  INSERT INTO aos.prices (id, tenant_id, own, provider, model, source, effective_from,
    effective_to, rates, variants)
  VALUES (
    aos.price_id(asked.tenant_id, true, asked.provider, asked.model, asked.effective_from, NULL,
      jsonb_build_array(asked.rates, asked.variants)),
    asked.tenant_id, true, asked.provider, asked.model, 'own', asked.effective_from,
    asked.effective_to, asked.rates, asked.variants)
  RETURNING id INTO found_id;
  PERFORM aos.changed('prices');
  RETURN found_id;
END $$;
GRANT EXECUTE ON FUNCTION aos.put_price(jsonb) TO aos_app;

-- Ends an own price now; one that has not begun goes. False when it is not this tenant's own.
CREATE FUNCTION aos.end_price(price_id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
DECLARE
  price aos.prices;
BEGIN
  SELECT * INTO price FROM aos.prices AS e
  WHERE e.id = $1 AND e.own AND e.tenant_id IS NOT DISTINCT FROM aos.current_tenant()
  FOR UPDATE;
  IF price.id IS NULL THEN
    RETURN false;
  END IF;
  IF price.effective_from >= now() THEN
    DELETE FROM aos.prices AS e WHERE e.id = $1;
  ELSIF price.effective_to IS NULL OR price.effective_to > now() THEN
    UPDATE aos.prices AS e SET effective_to = now() WHERE e.id = $1;
  END IF;
  PERFORM aos.changed('prices');
  RETURN true;
END $$;
GRANT EXECUTE ON FUNCTION aos.end_price(text) TO aos_app;

-- Every price of every tenant, for the snapshot that all calls are looked up in.
CREATE FUNCTION aos.all_prices() RETURNS SETOF aos.prices
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, aos AS $$
BEGIN
  PERFORM aos.refuse_tenants();
  RETURN QUERY SELECT * FROM aos.prices;
END $$;
GRANT EXECUTE ON FUNCTION aos.all_prices() TO aos_app;
RESET ROLE;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
