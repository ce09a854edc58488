CREATE SCHEMA directory;

GRANT USAGE ON SCHEMA directory TO dawr_app;

CREATE TABLE counter (
	facility_id UUID NOT NULL, 
	kind TEXT NOT NULL, 
	scope TEXT NOT NULL, 
	service_day DATE NOT NULL, 
	series INTEGER NOT NULL, 
	last INTEGER NOT NULL, 
	CONSTRAINT counter_pkey PRIMARY KEY (facility_id, kind, scope, service_day, series), 
	CONSTRAINT counter_last_positive_check CHECK (last > 0)
);

ALTER TABLE counter SET (fillfactor = 50);

ALTER TABLE counter ENABLE ROW LEVEL SECURITY;

ALTER TABLE counter FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON counter USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON counter TO dawr_app;

CREATE TABLE directory.account (
	account_id UUID NOT NULL, 
	email BYTEA NOT NULL, 
	email_index BYTEA NOT NULL, 
	display_name BYTEA NOT NULL, 
	password_hash TEXT NOT NULL, 
	password_temporary BOOLEAN DEFAULT false NOT NULL, 
	operator BOOLEAN DEFAULT false NOT NULL, 
	language TEXT, 
	disabled_at TIMESTAMP WITH TIME ZONE, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT account_pkey PRIMARY KEY (account_id), 
	CONSTRAINT account_password_hash_check CHECK (password_hash ~ '^[$]argon2id[$]'), 
	CONSTRAINT account_email_index_key UNIQUE (email_index)
);

CREATE TABLE directory.facility (
	facility_id UUID NOT NULL, 
	no INTEGER GENERATED ALWAYS AS IDENTITY, 
	slug TEXT NOT NULL, 
	is_default BOOLEAN DEFAULT false NOT NULL, 
	CONSTRAINT facility_pkey PRIMARY KEY (facility_id), 
	CONSTRAINT facility_slug_check CHECK (slug ~ '^[a-z0-9][a-z0-9._-]{0,62}$'), 
	CONSTRAINT facility_no_key UNIQUE (no), 
	CONSTRAINT facility_slug_key UNIQUE (slug)
);

CREATE UNIQUE INDEX facility_default_idx ON directory.facility (is_default) WHERE is_default;

CREATE TABLE event (
	facility_id UUID NOT NULL, 
	stream TEXT NOT NULL, 
	version BIGINT NOT NULL, 
	entity TEXT NOT NULL, 
	type TEXT NOT NULL, 
	data JSONB NOT NULL, 
	actor TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	id BIGINT GENERATED ALWAYS AS IDENTITY, 
	xact xid8 DEFAULT pg_current_xact_id() NOT NULL, 
	CONSTRAINT event_pkey PRIMARY KEY (facility_id, stream, version), 
	CONSTRAINT event_version_positive_check CHECK (version > 0)
);

CREATE INDEX event_entity_idx ON event (facility_id, entity, id);

ALTER TABLE event ENABLE ROW LEVEL SECURITY;

ALTER TABLE event FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON event USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT ON event TO dawr_app;

CREATE TABLE facility (
	facility_id UUID NOT NULL, 
	slug TEXT NOT NULL, 
	no INTEGER NOT NULL, 
	name JSONB NOT NULL, 
	zone TEXT NOT NULL, 
	pivot TIME WITHOUT TIME ZONE DEFAULT '00:00' NOT NULL, 
	languages TEXT[] NOT NULL, 
	grace_minutes INTEGER DEFAULT 120 NOT NULL, 
	paused BOOLEAN DEFAULT false NOT NULL, 
	pause_reason TEXT, 
	version INTEGER DEFAULT 0 NOT NULL, 
	CONSTRAINT facility_pkey PRIMARY KEY (facility_id), 
	CONSTRAINT facility_grace_check CHECK (grace_minutes BETWEEN 0 AND 720)
);

ALTER TABLE facility ENABLE ROW LEVEL SECURITY;

ALTER TABLE facility FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON facility USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON facility TO dawr_app;

CREATE TABLE idempotency_claim (
	facility_id UUID NOT NULL, 
	caller TEXT NOT NULL, 
	key BYTEA NOT NULL, 
	key_id SMALLINT NOT NULL, 
	fingerprint BYTEA NOT NULL, 
	status SMALLINT, 
	record TEXT, 
	note JSONB, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT idempotency_claim_pkey PRIMARY KEY (facility_id, caller, key)
);

ALTER TABLE idempotency_claim ENABLE ROW LEVEL SECURITY;

ALTER TABLE idempotency_claim FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON idempotency_claim USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON idempotency_claim TO dawr_app;

CREATE TABLE installation (
	id SMALLINT DEFAULT 1 NOT NULL, 
	key_id SMALLINT NOT NULL, 
	code BYTEA NOT NULL, 
	CONSTRAINT installation_pkey PRIMARY KEY (id), 
	CONSTRAINT installation_only_one_check CHECK (id = 1)
);

GRANT SELECT, INSERT ON installation TO dawr_app;

CREATE TABLE job_tick (
	name TEXT NOT NULL, 
	ended_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	seconds FLOAT NOT NULL, 
	outcome TEXT NOT NULL, 
	CONSTRAINT job_tick_pkey PRIMARY KEY (name)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON job_tick TO dawr_app;

CREATE TABLE log_epoch (
	epoch UUID DEFAULT gen_random_uuid() NOT NULL, 
	started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
	CONSTRAINT log_epoch_pkey PRIMARY KEY (epoch)
);

GRANT SELECT ON log_epoch TO dawr_app;

CREATE TABLE outbox (
	id BIGINT GENERATED ALWAYS AS IDENTITY, 
	facility_id UUID NOT NULL, 
	topic TEXT NOT NULL, 
	key TEXT NOT NULL, 
	payload JSONB NOT NULL, 
	put_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
	due TIMESTAMP WITH TIME ZONE NOT NULL, 
	attempts INTEGER DEFAULT 0 NOT NULL, 
	last_error TEXT, 
	dead_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT outbox_pkey PRIMARY KEY (id), 
	CONSTRAINT outbox_facility_id_topic_key_key UNIQUE (facility_id, topic, key)
);

CREATE INDEX outbox_due_idx ON outbox (due, id) WHERE dead_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO dawr_app;

CREATE UNLOGGED TABLE rate_limit (
	key BYTEA NOT NULL, 
	tat TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT rate_limit_pkey PRIMARY KEY (key)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limit TO dawr_app;

CREATE TABLE department (
	facility_id UUID NOT NULL, 
	department TEXT NOT NULL, 
	name JSONB NOT NULL, 
	archived_on DATE, 
	version INTEGER DEFAULT 0 NOT NULL, 
	CONSTRAINT department_pkey PRIMARY KEY (facility_id, department), 
	CONSTRAINT department_facility_id_fkey FOREIGN KEY(facility_id) REFERENCES facility (facility_id), 
	CONSTRAINT department_slug_check CHECK (department ~ '^[a-z0-9][a-z0-9._-]{0,62}$')
);

ALTER TABLE department ENABLE ROW LEVEL SECURITY;

ALTER TABLE department FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON department USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON department TO dawr_app;

CREATE TABLE directory.account_facility (
	account_id UUID NOT NULL, 
	facility_id UUID NOT NULL, 
	active BOOLEAN NOT NULL, 
	since TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT account_facility_pkey PRIMARY KEY (account_id, facility_id), 
	CONSTRAINT account_facility_account_id_fkey FOREIGN KEY(account_id) REFERENCES directory.account (account_id), 
	CONSTRAINT account_facility_facility_id_fkey FOREIGN KEY(facility_id) REFERENCES directory.facility (facility_id)
);

CREATE TABLE directory.session (
	session_id UUID NOT NULL, 
	account_id UUID NOT NULL, 
	kind TEXT NOT NULL, 
	secret_hash BYTEA NOT NULL, 
	previous_hash BYTEA, 
	rotated_at TIMESTAMP WITH TIME ZONE, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	revoked_at TIMESTAMP WITH TIME ZONE, 
	network BYTEA, 
	agent TEXT, 
	CONSTRAINT session_pkey PRIMARY KEY (session_id), 
	CONSTRAINT session_kind_check CHECK (kind IN ('token', 'cookie')), 
	CONSTRAINT session_account_id_fkey FOREIGN KEY(account_id) REFERENCES directory.account (account_id)
);

CREATE INDEX session_account_id_idx ON directory.session (account_id);

CREATE INDEX session_expires_at_idx ON directory.session (expires_at);

CREATE TABLE doctor (
	facility_id UUID NOT NULL, 
	doctor TEXT NOT NULL, 
	name JSONB NOT NULL, 
	archived_on DATE, 
	version INTEGER DEFAULT 0 NOT NULL, 
	CONSTRAINT doctor_pkey PRIMARY KEY (facility_id, doctor), 
	CONSTRAINT doctor_facility_id_fkey FOREIGN KEY(facility_id) REFERENCES facility (facility_id), 
	CONSTRAINT doctor_slug_check CHECK (doctor ~ '^[a-z0-9][a-z0-9._-]{0,62}$')
);

ALTER TABLE doctor ENABLE ROW LEVEL SECURITY;

ALTER TABLE doctor FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON doctor USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON doctor TO dawr_app;

CREATE TABLE clinic (
	facility_id UUID NOT NULL, 
	clinic TEXT NOT NULL, 
	department TEXT, 
	name JSONB NOT NULL, 
	prefix TEXT NOT NULL, 
	floor TEXT, 
	entry TEXT DEFAULT 'open' NOT NULL, 
	capacity INTEGER, 
	hours JSONB, 
	closed BOOLEAN DEFAULT false NOT NULL, 
	paused BOOLEAN DEFAULT false NOT NULL, 
	pause_reason TEXT, 
	mean_service_seconds INTEGER, 
	late_after_seconds INTEGER DEFAULT 300, 
	priority_credit_seconds INTEGER DEFAULT 1800 NOT NULL, 
	place INTEGER DEFAULT 0 NOT NULL, 
	poster INTEGER DEFAULT 1 NOT NULL, 
	archived_on DATE, 
	version INTEGER DEFAULT 0 NOT NULL, 
	CONSTRAINT clinic_pkey PRIMARY KEY (facility_id, clinic), 
	CONSTRAINT clinic_facility_id_fkey FOREIGN KEY(facility_id) REFERENCES facility (facility_id), 
	CONSTRAINT clinic_facility_id_department_fkey FOREIGN KEY(facility_id, department) REFERENCES department (facility_id, department), 
	CONSTRAINT clinic_facility_id_prefix_key UNIQUE (facility_id, prefix), 
	CONSTRAINT clinic_slug_check CHECK (clinic ~ '^[a-z0-9][a-z0-9._-]{0,62}$'), 
	CONSTRAINT clinic_prefix_check CHECK (prefix ~ '^[A-Z][A-Z0-9]{0,7}$'), 
	CONSTRAINT clinic_entry_check CHECK (entry IN ('open', 'qr', 'verified', 'staff')), 
	CONSTRAINT clinic_capacity_check CHECK (capacity >= 0), 
	CONSTRAINT clinic_mean_service_check CHECK (mean_service_seconds BETWEEN 10 AND 28800), 
	CONSTRAINT clinic_late_after_check CHECK (late_after_seconds BETWEEN 30 AND 7200), 
	CONSTRAINT clinic_priority_credit_check CHECK (priority_credit_seconds BETWEEN 0 AND 86400)
);

ALTER TABLE clinic ENABLE ROW LEVEL SECURITY;

ALTER TABLE clinic FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON clinic USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON clinic TO dawr_app;

CREATE TABLE membership (
	facility_id UUID NOT NULL, 
	account_id UUID NOT NULL, 
	role TEXT NOT NULL, 
	doctor TEXT, 
	desk TEXT, 
	disabled BOOLEAN DEFAULT false NOT NULL, 
	removed BOOLEAN DEFAULT false NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT membership_pkey PRIMARY KEY (facility_id, account_id), 
	CONSTRAINT membership_facility_id_fkey FOREIGN KEY(facility_id) REFERENCES facility (facility_id), 
	CONSTRAINT membership_facility_id_doctor_fkey FOREIGN KEY(facility_id, doctor) REFERENCES doctor (facility_id, doctor), 
	CONSTRAINT membership_role_check CHECK (role IN ('administrator', 'reception', 'doctor', 'display')), 
	CONSTRAINT membership_desk_check CHECK (desk ~ '^[A-Za-z0-9][A-Za-z0-9-]{0,15}$'), 
	CONSTRAINT membership_account_id_fkey FOREIGN KEY(account_id) REFERENCES directory.account (account_id)
);

ALTER TABLE membership ENABLE ROW LEVEL SECURITY;

ALTER TABLE membership FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON membership USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON membership TO dawr_app;

CREATE TABLE desk (
	facility_id UUID NOT NULL, 
	clinic TEXT NOT NULL, 
	desk TEXT NOT NULL, 
	name JSONB, 
	CONSTRAINT desk_pkey PRIMARY KEY (facility_id, clinic, desk), 
	CONSTRAINT desk_facility_id_clinic_fkey FOREIGN KEY(facility_id, clinic) REFERENCES clinic (facility_id, clinic), 
	CONSTRAINT desk_desk_check CHECK (desk ~ '^[A-Za-z0-9][A-Za-z0-9-]{0,15}$')
);

ALTER TABLE desk ENABLE ROW LEVEL SECURITY;

ALTER TABLE desk FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON desk USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON desk TO dawr_app;

CREATE TABLE doctor_clinic (
	facility_id UUID NOT NULL, 
	doctor TEXT NOT NULL, 
	clinic TEXT NOT NULL, 
	CONSTRAINT doctor_clinic_pkey PRIMARY KEY (facility_id, doctor, clinic), 
	CONSTRAINT doctor_clinic_facility_id_doctor_fkey FOREIGN KEY(facility_id, doctor) REFERENCES doctor (facility_id, doctor), 
	CONSTRAINT doctor_clinic_facility_id_clinic_fkey FOREIGN KEY(facility_id, clinic) REFERENCES clinic (facility_id, clinic)
);

ALTER TABLE doctor_clinic ENABLE ROW LEVEL SECURITY;

ALTER TABLE doctor_clinic FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON doctor_clinic USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON doctor_clinic TO dawr_app;

CREATE TABLE membership_clinic (
	facility_id UUID NOT NULL, 
	account_id UUID NOT NULL, 
	clinic TEXT NOT NULL, 
	CONSTRAINT membership_clinic_pkey PRIMARY KEY (facility_id, account_id, clinic), 
	CONSTRAINT membership_clinic_facility_id_account_id_fkey FOREIGN KEY(facility_id, account_id) REFERENCES membership (facility_id, account_id), 
	CONSTRAINT membership_clinic_facility_id_clinic_fkey FOREIGN KEY(facility_id, clinic) REFERENCES clinic (facility_id, clinic)
);

ALTER TABLE membership_clinic ENABLE ROW LEVEL SECURITY;

ALTER TABLE membership_clinic FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON membership_clinic USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, DELETE ON membership_clinic TO dawr_app;

CREATE TABLE queue (
	facility_id UUID NOT NULL, 
	clinic TEXT NOT NULL, 
	service_day DATE NOT NULL, 
	series INTEGER DEFAULT 1 NOT NULL, 
	version BIGINT DEFAULT 0 NOT NULL, 
	last_key BIGINT DEFAULT 0 NOT NULL, 
	carries BOOLEAN DEFAULT true NOT NULL, 
	CONSTRAINT queue_pkey PRIMARY KEY (facility_id, clinic), 
	CONSTRAINT queue_facility_id_clinic_fkey FOREIGN KEY(facility_id, clinic) REFERENCES clinic (facility_id, clinic), 
	CONSTRAINT queue_counts_check CHECK (series > 0 AND version >= 0)
);

ALTER TABLE queue SET (fillfactor = 50);

ALTER TABLE queue ENABLE ROW LEVEL SECURITY;

ALTER TABLE queue FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON queue USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON queue TO dawr_app;

CREATE TABLE ticket (
	facility_id UUID NOT NULL, 
	id UUID NOT NULL, 
	clinic TEXT NOT NULL, 
	service_day DATE NOT NULL, 
	series INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	code TEXT NOT NULL, 
	status TEXT NOT NULL, 
	priority TEXT NOT NULL, 
	rank SMALLINT NOT NULL, 
	order_key BIGINT NOT NULL, 
	placed TEXT NOT NULL, 
	doctor TEXT, 
	desk TEXT, 
	language TEXT, 
	entered_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	called_at TIMESTAMP WITH TIME ZONE, 
	started_at TIMESTAMP WITH TIME ZONE, 
	ended_at TIMESTAMP WITH TIME ZONE, 
	ended_day DATE, 
	calls INTEGER DEFAULT 0 NOT NULL, 
	changed_version BIGINT NOT NULL, 
	previous UUID, 
	person BYTEA, 
	device BYTEA, 
	name_sealed BYTEA, 
	phone_sealed BYTEA, 
	CONSTRAINT ticket_pkey PRIMARY KEY (facility_id, id), 
	CONSTRAINT ticket_facility_id_clinic_fkey FOREIGN KEY(facility_id, clinic) REFERENCES queue (facility_id, clinic), 
	CONSTRAINT ticket_facility_id_doctor_fkey FOREIGN KEY(facility_id, doctor) REFERENCES doctor (facility_id, doctor), 
	CONSTRAINT ticket_facility_id_previous_fkey FOREIGN KEY(facility_id, previous) REFERENCES ticket (facility_id, id), 
	CONSTRAINT ticket_facility_id_clinic_service_day_series_number_key UNIQUE (facility_id, clinic, service_day, series, number), 
	CONSTRAINT ticket_number_check CHECK (number > 0), 
	CONSTRAINT ticket_status_check CHECK (status IN ('waiting', 'called', 'serving', 'held', 'done', 'no_show', 'cancelled', 'expired', 'transferred')), 
	CONSTRAINT ticket_priority_check CHECK (priority IN ('normal', 'priority', 'emergency')), 
	CONSTRAINT ticket_rank_check CHECK (rank IN (0, 1)), 
	CONSTRAINT ticket_ended_check CHECK ((status IN ('waiting', 'called', 'serving', 'held')) = (ended_at IS NULL) AND (ended_at IS NULL) = (ended_day IS NULL)), 
	CONSTRAINT ticket_called_check CHECK (status NOT IN ('called', 'serving', 'done', 'no_show') OR called_at IS NOT NULL), 
	CONSTRAINT ticket_started_check CHECK (status <> 'serving' OR started_at IS NOT NULL), 
	CONSTRAINT ticket_waiting_check CHECK (status <> 'waiting' OR (desk IS NULL AND called_at IS NULL AND started_at IS NULL))
);

CREATE INDEX ticket_ended_idx ON ticket (facility_id, clinic, ended_day, ended_at) WHERE ended_day IS NOT NULL;

CREATE INDEX ticket_open_idx ON ticket (facility_id, clinic, status) WHERE status IN ('waiting', 'called', 'serving', 'held');

CREATE UNIQUE INDEX ticket_person_key ON ticket (facility_id, clinic, person) WHERE status IN ('waiting', 'called', 'serving', 'held') AND person IS NOT NULL;

CREATE INDEX ticket_waiting_doctor_idx ON ticket (facility_id, clinic, doctor, rank, order_key, id) WHERE status = 'waiting';

CREATE INDEX ticket_waiting_idx ON ticket (facility_id, clinic, rank, order_key, id) WHERE status = 'waiting';

ALTER TABLE ticket SET (fillfactor = 80);

ALTER TABLE ticket ENABLE ROW LEVEL SECURITY;

ALTER TABLE ticket FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON ticket USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON ticket TO dawr_app;

CREATE FUNCTION directory.account_create(
    id uuid, email bytea, email_index bytea, display_name bytea, password_hash text, temporary boolean,
    operator boolean, language text, at timestamptz
) RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH made AS (
        INSERT INTO directory.account (account_id, email, email_index, display_name, password_hash, password_temporary,
                                       operator, language, created_at)
        VALUES (id, email, email_index, display_name, password_hash, temporary, operator, language, at)
        ON CONFLICT (email_index) DO NOTHING RETURNING 1
    )
    SELECT EXISTS (SELECT FROM made)
$$;

REVOKE ALL ON FUNCTION directory.account_create(uuid, bytea, bytea, bytea, text, boolean, boolean, text, timestamptz) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.account_create(uuid, bytea, bytea, bytea, text, boolean, boolean, text, timestamptz) TO dawr_app;

CREATE FUNCTION directory.account_find(wanted bytea) RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.account_id FROM directory.account a WHERE a.email_index = wanted
$$;

REVOKE ALL ON FUNCTION directory.account_find(bytea) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.account_find(bytea) TO dawr_app;

CREATE FUNCTION directory.account_login(wanted bytea)
RETURNS TABLE (account_id uuid, password_hash text, allowed boolean) LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.account_id, a.password_hash, a.disabled_at IS NULL AND 
(a.operator OR EXISTS (SELECT FROM directory.account_facility f WHERE f.account_id = a.account_id AND f.active))

    FROM directory.account a WHERE a.email_index = wanted
$$;

REVOKE ALL ON FUNCTION directory.account_login(bytea) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.account_login(bytea) TO dawr_app;

CREATE FUNCTION directory.account_cards(wanted uuid[])
RETURNS TABLE (account_id uuid, email bytea, display_name bytea, operator boolean, language text,
               password_temporary boolean, disabled boolean) LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.account_id, a.email, a.display_name, a.operator, a.language, a.password_temporary,
           a.disabled_at IS NOT NULL
    FROM directory.account a WHERE a.account_id = any(wanted)
$$;

REVOKE ALL ON FUNCTION directory.account_cards(uuid[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.account_cards(uuid[]) TO dawr_app;

CREATE FUNCTION directory.account_password(id uuid, hash text, temporary boolean) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE directory.account SET password_hash = hash, password_temporary = temporary WHERE account_id = id
$$;

REVOKE ALL ON FUNCTION directory.account_password(uuid, text, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.account_password(uuid, text, boolean) TO dawr_app;

CREATE FUNCTION directory.account_rehash(id uuid, known text, hash text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE directory.account SET password_hash = hash WHERE account_id = id AND password_hash = known
$$;

REVOKE ALL ON FUNCTION directory.account_rehash(uuid, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.account_rehash(uuid, text, text) TO dawr_app;

CREATE FUNCTION directory.account_disable(id uuid, at timestamptz) RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH done AS (UPDATE directory.account SET disabled_at = at WHERE account_id = id RETURNING 1)
    SELECT EXISTS (SELECT FROM done)
$$;

REVOKE ALL ON FUNCTION directory.account_disable(uuid, timestamptz) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.account_disable(uuid, timestamptz) TO dawr_app;

CREATE FUNCTION directory.account_elsewhere(id uuid) RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM directory.account a WHERE a.account_id = id AND a.operator)
        OR EXISTS (SELECT FROM directory.account_facility f
                   WHERE f.account_id = id AND f.facility_id IS DISTINCT FROM nullif(current_setting('dawr.facility', true), '')::uuid)
$$;

REVOKE ALL ON FUNCTION directory.account_elsewhere(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.account_elsewhere(uuid) TO dawr_app;

CREATE FUNCTION directory.account_link(id uuid, is_active boolean, at timestamptz) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO directory.account_facility (account_id, facility_id, active, since)
    VALUES (id, nullif(current_setting('dawr.facility', true), '')::uuid, is_active, at)
    ON CONFLICT (account_id, facility_id) DO UPDATE SET active = excluded.active
$$;

REVOKE ALL ON FUNCTION directory.account_link(uuid, boolean, timestamptz) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.account_link(uuid, boolean, timestamptz) TO dawr_app;

CREATE FUNCTION directory.account_unlink(id uuid) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM directory.account_facility WHERE account_id = id AND facility_id = nullif(current_setting('dawr.facility', true), '')::uuid
$$;

REVOKE ALL ON FUNCTION directory.account_unlink(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.account_unlink(uuid) TO dawr_app;

CREATE FUNCTION directory.session_open(
    id uuid, account uuid, kind text, secret bytea, at timestamptz, lives interval, network bytea, agent text
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO directory.session (session_id, account_id, kind, secret_hash, created_at, expires_at, last_seen_at,
                                   network, agent)
    VALUES (id, account, kind, secret, at, at + lives, at, network, agent)
$$;

REVOKE ALL ON FUNCTION directory.session_open(uuid, uuid, text, bytea, timestamptz, interval, bytea, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.session_open(uuid, uuid, text, bytea, timestamptz, interval, bytea, text) TO dawr_app;

CREATE FUNCTION directory.session_resolve(id uuid, secret bytea, at timestamptz, idle interval, longest interval)
RETURNS TABLE (account_id uuid, kind text, operator boolean, language text, facilities uuid[])
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE directory.session s
    SET last_seen_at = at,
        expires_at = CASE WHEN s.kind = 'cookie' THEN least(at + idle, s.created_at + longest) ELSE s.expires_at END
    WHERE s.session_id = id AND s.revoked_at IS NULL AND s.expires_at > at
      AND s.last_seen_at < at - interval '1 minute'
      AND CASE WHEN s.kind = 'cookie' THEN s.secret_hash = secret ELSE secret IS NULL END;
    SELECT a.account_id, s.kind, a.operator, a.language, 
array(SELECT f.facility_id FROM directory.account_facility f
      WHERE f.account_id = a.account_id AND f.active ORDER BY f.since, f.facility_id)

    FROM directory.session s JOIN directory.account a ON a.account_id = s.account_id
    WHERE s.session_id = id AND s.revoked_at IS NULL AND s.expires_at > at
      AND CASE WHEN s.kind = 'cookie' THEN s.secret_hash = secret ELSE secret IS NULL END
      AND a.disabled_at IS NULL AND 
(a.operator OR EXISTS (SELECT FROM directory.account_facility f WHERE f.account_id = a.account_id AND f.active))

$$;

REVOKE ALL ON FUNCTION directory.session_resolve(uuid, bytea, timestamptz, interval, interval) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.session_resolve(uuid, bytea, timestamptz, interval, interval) TO dawr_app;

CREATE FUNCTION directory.session_rotate(
    id uuid, presented bytea, following bytea, at timestamptz, leeway interval, lives interval, longest interval
) RETURNS TABLE (outcome text, account_id uuid) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE s directory.session; allowed boolean;
BEGIN
    SELECT * INTO s FROM directory.session WHERE session_id = id AND kind = 'token' FOR UPDATE;
    SELECT a.disabled_at IS NULL AND 
(a.operator OR EXISTS (SELECT FROM directory.account_facility f WHERE f.account_id = a.account_id AND f.active))
 INTO allowed
        FROM directory.account a WHERE a.account_id = s.account_id;
    IF s.session_id IS NULL OR s.revoked_at IS NOT NULL OR s.expires_at <= at OR allowed IS NOT TRUE THEN
        RETURN QUERY SELECT 'ended', s.account_id;
    ELSIF s.secret_hash = presented THEN
        UPDATE directory.session
        SET secret_hash = following, previous_hash = presented, rotated_at = at, last_seen_at = at,
            expires_at = least(at + lives, created_at + longest)
        WHERE session_id = id;
        RETURN QUERY SELECT 'rotated', s.account_id;
    ELSIF s.previous_hash = presented AND s.secret_hash = following AND at <= s.rotated_at + leeway THEN
        RETURN QUERY SELECT 'repeated', s.account_id;
    ELSE
        UPDATE directory.session SET revoked_at = at WHERE session_id = id;
        RETURN QUERY SELECT 'reused', s.account_id;
    END IF;
END
$$;

REVOKE ALL ON FUNCTION directory.session_rotate(uuid, bytea, bytea, timestamptz, interval, interval, interval) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.session_rotate(uuid, bytea, bytea, timestamptz, interval, interval, interval) TO dawr_app;

CREATE FUNCTION directory.session_revoke(id uuid, at timestamptz) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE directory.session SET revoked_at = at WHERE session_id = id AND revoked_at IS NULL
$$;

REVOKE ALL ON FUNCTION directory.session_revoke(uuid, timestamptz) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.session_revoke(uuid, timestamptz) TO dawr_app;

CREATE FUNCTION directory.session_revoke_all(account uuid, sparing uuid, at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE directory.session SET revoked_at = at
    WHERE account_id = account AND revoked_at IS NULL AND session_id IS DISTINCT FROM sparing
$$;

REVOKE ALL ON FUNCTION directory.session_revoke_all(uuid, uuid, timestamptz) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.session_revoke_all(uuid, uuid, timestamptz) TO dawr_app;

CREATE FUNCTION directory.session_purge(before timestamptz) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH gone AS (
        DELETE FROM directory.session WHERE expires_at < before OR revoked_at < before RETURNING 1
    )
    SELECT count(*) FROM gone
$$;

REVOKE ALL ON FUNCTION directory.session_purge(timestamptz) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.session_purge(timestamptz) TO dawr_app;

CREATE OR REPLACE FUNCTION directory.register_facility(wanted text, as_default boolean) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  given integer;
BEGIN
  -- Two first facilities at once would both take the default's place.
  LOCK TABLE directory.facility IN SHARE ROW EXCLUSIVE MODE;
  IF as_default THEN
    UPDATE directory.facility SET is_default = false WHERE is_default;
  END IF;
  INSERT INTO directory.facility (facility_id, slug, is_default)
  VALUES (current_setting('dawr.facility')::uuid, wanted,
          NOT EXISTS (SELECT FROM directory.facility WHERE is_default))
  ON CONFLICT (slug) DO NOTHING RETURNING no INTO given;
  RETURN given;
END $$;

REVOKE ALL ON FUNCTION directory.register_facility(text, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.register_facility(text, boolean) TO dawr_app;

CREATE OR REPLACE FUNCTION directory.make_default_facility() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  LOCK TABLE directory.facility IN SHARE ROW EXCLUSIVE MODE;
  UPDATE directory.facility SET is_default = false WHERE is_default;
  UPDATE directory.facility SET is_default = true WHERE facility_id = current_setting('dawr.facility')::uuid;
END $$;

REVOKE ALL ON FUNCTION directory.make_default_facility() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.make_default_facility() TO dawr_app;

CREATE OR REPLACE FUNCTION directory.facility_by_slug(wanted text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT facility_id FROM directory.facility WHERE slug = wanted
$$;

REVOKE ALL ON FUNCTION directory.facility_by_slug(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.facility_by_slug(text) TO dawr_app;

CREATE OR REPLACE FUNCTION directory.facility_by_no(wanted integer) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT facility_id FROM directory.facility WHERE no = wanted
$$;

REVOKE ALL ON FUNCTION directory.facility_by_no(integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.facility_by_no(integer) TO dawr_app;

CREATE OR REPLACE FUNCTION directory.default_facility() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT facility_id FROM directory.facility WHERE is_default
$$;

REVOKE ALL ON FUNCTION directory.default_facility() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.default_facility() TO dawr_app;

CREATE OR REPLACE FUNCTION directory.facilities()
RETURNS TABLE (facility_id uuid, no integer, slug text, is_default boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT facility_id, no, slug, is_default FROM directory.facility ORDER BY no
$$;

REVOKE ALL ON FUNCTION directory.facilities() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.facilities() TO dawr_app;
