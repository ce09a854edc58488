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

GRANT SELECT, INSERT, UPDATE, DELETE ON counter TO dawr_app;

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

CREATE TABLE idempotency_claim (
	facility_id UUID NOT NULL, 
	caller TEXT NOT NULL, 
	key BYTEA NOT NULL, 
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
