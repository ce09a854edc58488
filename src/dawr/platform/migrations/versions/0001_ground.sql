CREATE SCHEMA directory;

GRANT USAGE ON SCHEMA directory TO dawr_app;

CREATE TABLE appointment_rules (
	facility_id UUID NOT NULL, 
	late_minutes INTEGER NOT NULL, 
	no_show_minutes INTEGER NOT NULL, 
	offer_minutes INTEGER NOT NULL, 
	reminders INTEGER[] NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT appointment_rules_pkey PRIMARY KEY (facility_id), 
	CONSTRAINT appointment_rules_lateness_check CHECK (late_minutes BETWEEN 0 AND 240 AND no_show_minutes BETWEEN 5 AND 1440), 
	CONSTRAINT appointment_rules_offers_check CHECK (offer_minutes BETWEEN 5 AND 2880)
);

ALTER TABLE appointment_rules ENABLE ROW LEVEL SECURITY;

ALTER TABLE appointment_rules FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON appointment_rules USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON appointment_rules TO dawr_app;

CREATE TABLE channel_settings (
	facility_id UUID NOT NULL, 
	channel TEXT NOT NULL, 
	settings_sealed BYTEA, 
	version INTEGER NOT NULL, 
	changed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT channel_settings_pkey PRIMARY KEY (facility_id, channel)
);

ALTER TABLE channel_settings ENABLE ROW LEVEL SECURITY;

ALTER TABLE channel_settings FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON channel_settings USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON channel_settings TO dawr_app;

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

CREATE TABLE delivery (
	facility_id UUID NOT NULL, 
	delivery UUID NOT NULL, 
	fact TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	recipient BYTEA NOT NULL, 
	to_sealed BYTEA, 
	moment TEXT NOT NULL, 
	template TEXT NOT NULL, 
	language TEXT NOT NULL, 
	ticket UUID, 
	patient UUID, 
	visit UUID, 
	appointment UUID, 
	numbers JSONB NOT NULL, 
	rank SMALLINT NOT NULL, 
	status TEXT NOT NULL, 
	reason TEXT, 
	detail TEXT, 
	attempts INTEGER DEFAULT 0 NOT NULL, 
	unknown INTEGER DEFAULT 0 NOT NULL, 
	provider_id TEXT, 
	due TIMESTAMP WITH TIME ZONE NOT NULL, 
	deadline TIMESTAMP WITH TIME ZONE NOT NULL, 
	leased_until TIMESTAMP WITH TIME ZONE, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	tried_at TIMESTAMP WITH TIME ZONE, 
	ended_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT delivery_pkey PRIMARY KEY (facility_id, delivery), 
	CONSTRAINT delivery_facility_id_fact_channel_recipient_key UNIQUE (facility_id, fact, channel, recipient), 
	CONSTRAINT delivery_moment_check CHECK (moment IN ('your_turn', 'next', 'near', 'appointment_booked', 'appointment_changed', 'appointment_cancelled', 'appointment_reminder', 'appointment_offered', 'appointment_needs_rebooking', 'appointment_stands_again', 'visit_created', 'phone_code')), 
	CONSTRAINT delivery_status_check CHECK (status IN ('pending', 'sending', 'sent', 'delivered', 'read', 'failed', 'expired', 'suppressed')), 
	CONSTRAINT delivery_leased_check CHECK ((status = 'sending') = (leased_until IS NOT NULL)), 
	CONSTRAINT delivery_ended_check CHECK ((status IN ('pending', 'sending')) = (ended_at IS NULL))
);

CREATE INDEX delivery_due_idx ON delivery (facility_id, channel, rank, due, delivery) WHERE status = 'pending';

CREATE INDEX delivery_leased_idx ON delivery (facility_id, leased_until) WHERE status = 'sending';

CREATE INDEX delivery_patient_idx ON delivery (facility_id, patient) WHERE patient IS NOT NULL;

CREATE INDEX delivery_provider_idx ON delivery (facility_id, channel, provider_id) WHERE provider_id IS NOT NULL;

CREATE INDEX delivery_status_idx ON delivery (facility_id, status, delivery);

CREATE INDEX delivery_ticket_idx ON delivery (facility_id, ticket) WHERE ticket IS NOT NULL;

ALTER TABLE delivery SET (fillfactor = 80);

ALTER TABLE delivery ENABLE ROW LEVEL SECURITY;

ALTER TABLE delivery FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON delivery USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON delivery TO dawr_app;

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

CREATE INDEX event_tail_idx ON event (facility_id, xact, id);

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

CREATE TABLE follower (
	facility_id UUID NOT NULL, 
	follower TEXT NOT NULL, 
	enabled BOOLEAN DEFAULT true NOT NULL, 
	xact TEXT NOT NULL, 
	id BIGINT NOT NULL, 
	epoch UUID NOT NULL, 
	attempts INTEGER DEFAULT 0 NOT NULL, 
	due TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
	CONSTRAINT follower_pkey PRIMARY KEY (facility_id, follower)
);

ALTER TABLE follower ENABLE ROW LEVEL SECURITY;

ALTER TABLE follower FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON follower USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON follower TO dawr_app;

CREATE TABLE follower_failure (
	facility_id UUID NOT NULL, 
	follower TEXT NOT NULL, 
	no BIGINT GENERATED ALWAYS AS IDENTITY, 
	happening TEXT NOT NULL, 
	type TEXT NOT NULL, 
	error TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	again BOOLEAN DEFAULT false NOT NULL, 
	CONSTRAINT follower_failure_pkey PRIMARY KEY (facility_id, follower, no)
);

ALTER TABLE follower_failure ENABLE ROW LEVEL SECURITY;

ALTER TABLE follower_failure FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON follower_failure USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON follower_failure TO dawr_app;

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

CREATE TABLE key_holder (
	process UUID NOT NULL, 
	key_ids INTEGER[] NOT NULL, 
	primary_id INTEGER NOT NULL, 
	seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL, 
	CONSTRAINT key_holder_pkey PRIMARY KEY (process)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON key_holder TO dawr_app;

CREATE TABLE log_epoch (
	epoch UUID DEFAULT gen_random_uuid() NOT NULL, 
	started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
	cluster BIGINT DEFAULT (pg_control_system()).system_identifier NOT NULL, 
	begins_after BIGINT DEFAULT coalesce(pg_sequence_last_value(pg_get_serial_sequence('event', 'id')::regclass), 0) NOT NULL, 
	CONSTRAINT log_epoch_pkey PRIMARY KEY (epoch)
);

GRANT SELECT ON log_epoch TO dawr_app;

CREATE TABLE message_stop (
	facility_id UUID NOT NULL, 
	recipient BYTEA NOT NULL, 
	stopped BOOLEAN NOT NULL, 
	said_by TEXT NOT NULL, 
	said_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT message_stop_pkey PRIMARY KEY (facility_id, recipient)
);

ALTER TABLE message_stop ENABLE ROW LEVEL SECURITY;

ALTER TABLE message_stop FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON message_stop USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON message_stop TO dawr_app;

CREATE TABLE notice (
	facility_id UUID NOT NULL, 
	notice UUID NOT NULL, 
	fact TEXT NOT NULL, 
	moment TEXT NOT NULL, 
	roles TEXT[] NOT NULL, 
	clinics TEXT[] NOT NULL, 
	visit UUID, 
	ticket UUID, 
	appointment UUID, 
	numbers JSONB NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT notice_pkey PRIMARY KEY (facility_id, notice), 
	CONSTRAINT notice_facility_id_fact_key UNIQUE (facility_id, fact), 
	CONSTRAINT notice_moment_check CHECK (moment IN ('your_turn', 'next', 'near', 'appointment_booked', 'appointment_changed', 'appointment_cancelled', 'appointment_reminder', 'appointment_offered', 'appointment_needs_rebooking', 'appointment_stands_again', 'visit_created', 'phone_code'))
);

ALTER TABLE notice ENABLE ROW LEVEL SECURITY;

ALTER TABLE notice FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON notice USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, DELETE ON notice TO dawr_app;

CREATE TABLE notice_seen (
	facility_id UUID NOT NULL, 
	account UUID NOT NULL, 
	up_to UUID NOT NULL, 
	CONSTRAINT notice_seen_pkey PRIMARY KEY (facility_id, account)
);

ALTER TABLE notice_seen ENABLE ROW LEVEL SECURITY;

ALTER TABLE notice_seen FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON notice_seen USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON notice_seen TO dawr_app;

CREATE TABLE notification_cursor (
	facility_id UUID NOT NULL, 
	stream TEXT NOT NULL, 
	version BIGINT NOT NULL, 
	CONSTRAINT notification_cursor_pkey PRIMARY KEY (facility_id, stream)
);

ALTER TABLE notification_cursor SET (fillfactor = 50);

ALTER TABLE notification_cursor ENABLE ROW LEVEL SECURITY;

ALTER TABLE notification_cursor FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON notification_cursor USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON notification_cursor TO dawr_app;

CREATE TABLE notification_settings (
	facility_id UUID NOT NULL, 
	quiet_begins TIME WITHOUT TIME ZONE NOT NULL, 
	quiet_ends TIME WITHOUT TIME ZONE NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT notification_settings_pkey PRIMARY KEY (facility_id)
);

ALTER TABLE notification_settings ENABLE ROW LEVEL SECURITY;

ALTER TABLE notification_settings FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON notification_settings USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON notification_settings TO dawr_app;

CREATE TABLE outbox (
	id BIGINT GENERATED ALWAYS AS IDENTITY, 
	facility_id UUID NOT NULL, 
	topic TEXT NOT NULL, 
	key TEXT NOT NULL, 
	payload JSONB NOT NULL, 
	wanted_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	due TIMESTAMP WITH TIME ZONE NOT NULL, 
	attempts INTEGER DEFAULT 0 NOT NULL, 
	last_error TEXT, 
	dead_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT outbox_pkey PRIMARY KEY (id), 
	CONSTRAINT outbox_facility_id_topic_key_key UNIQUE (facility_id, topic, key)
);

CREATE INDEX outbox_due_idx ON outbox (due, id) WHERE dead_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO dawr_app;

CREATE TABLE patient (
	facility_id UUID NOT NULL, 
	patient UUID NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	version INTEGER NOT NULL, 
	status TEXT DEFAULT 'active' NOT NULL, 
	survivor UUID NOT NULL, 
	merged_into UUID, 
	erased_at TIMESTAMP WITH TIME ZONE, 
	erased_why BYTEA, 
	names_sealed BYTEA, 
	birth_sealed BYTEA, 
	gender_sealed BYTEA, 
	phones_sealed BYTEA, 
	national_id_sealed BYTEA, 
	record_number_sealed BYTEA, 
	language_sealed BYTEA, 
	email_sealed BYTEA, 
	preferences_sealed BYTEA, 
	CONSTRAINT patient_pkey PRIMARY KEY (facility_id, patient), 
	CONSTRAINT patient_facility_id_survivor_fkey FOREIGN KEY(facility_id, survivor) REFERENCES patient (facility_id, patient), 
	CONSTRAINT patient_facility_id_merged_into_fkey FOREIGN KEY(facility_id, merged_into) REFERENCES patient (facility_id, patient), 
	CONSTRAINT patient_status_check CHECK (status IN ('active', 'merged', 'erased')), 
	CONSTRAINT patient_active_check CHECK (status <> 'active' OR (survivor = patient AND merged_into IS NULL)), 
	CONSTRAINT patient_merged_check CHECK (status <> 'merged' OR (survivor <> patient AND merged_into IS NOT NULL)), 
	CONSTRAINT patient_erased_check CHECK ((status = 'erased') = (erased_at IS NOT NULL))
);

CREATE INDEX patient_merged_idx ON patient (facility_id, merged_into) WHERE merged_into IS NOT NULL;

CREATE INDEX patient_survivor_idx ON patient (facility_id, survivor);

ALTER TABLE patient ENABLE ROW LEVEL SECURITY;

ALTER TABLE patient FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON patient USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON patient TO dawr_app;

CREATE TABLE push_subscription (
	facility_id UUID NOT NULL, 
	subscription UUID NOT NULL, 
	endpoint BYTEA NOT NULL, 
	subscription_sealed BYTEA NOT NULL, 
	ticket UUID, 
	appointment UUID, 
	gone BOOLEAN DEFAULT false NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT push_subscription_pkey PRIMARY KEY (facility_id, subscription), 
	CONSTRAINT push_subscription_facility_id_ticket_endpoint_key UNIQUE (facility_id, ticket, endpoint), 
	CONSTRAINT push_subscription_facility_id_appointment_endpoint_key UNIQUE (facility_id, appointment, endpoint), 
	CONSTRAINT push_subscription_about_check CHECK (num_nonnulls(ticket, appointment) = 1), 
	CONSTRAINT push_subscription_endpoint_check CHECK (octet_length(endpoint) = 16)
);

CREATE INDEX push_subscription_created_idx ON push_subscription (facility_id, created_at);

ALTER TABLE push_subscription ENABLE ROW LEVEL SECURITY;

ALTER TABLE push_subscription FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON push_subscription USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON push_subscription TO dawr_app;

CREATE UNLOGGED TABLE rate_limit (
	key BYTEA NOT NULL, 
	tat TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT rate_limit_pkey PRIMARY KEY (key)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limit TO dawr_app;

CREATE TABLE webhook (
	facility_id UUID NOT NULL, 
	webhook UUID NOT NULL, 
	url_sealed BYTEA NOT NULL, 
	secret_sealed BYTEA NOT NULL, 
	earlier_sealed BYTEA, 
	earlier_until TIMESTAMP WITH TIME ZONE, 
	types TEXT[] NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT webhook_pkey PRIMARY KEY (facility_id, webhook)
);

ALTER TABLE webhook ENABLE ROW LEVEL SECURITY;

ALTER TABLE webhook FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON webhook USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON webhook TO dawr_app;

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

CREATE TABLE notice_read (
	facility_id UUID NOT NULL, 
	account UUID NOT NULL, 
	notice UUID NOT NULL, 
	CONSTRAINT notice_read_pkey PRIMARY KEY (facility_id, account, notice), 
	CONSTRAINT notice_read_facility_id_notice_fkey FOREIGN KEY(facility_id, notice) REFERENCES notice (facility_id, notice) ON DELETE CASCADE
);

CREATE INDEX notice_read_notice_idx ON notice_read (facility_id, notice);

ALTER TABLE notice_read ENABLE ROW LEVEL SECURITY;

ALTER TABLE notice_read FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON notice_read USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, DELETE ON notice_read TO dawr_app;

CREATE TABLE notification_rule (
	facility_id UUID NOT NULL, 
	moment TEXT NOT NULL, 
	audience TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	quiet BOOLEAN NOT NULL, 
	template TEXT NOT NULL, 
	ahead INTEGER, 
	minutes INTEGER, 
	place SMALLINT NOT NULL, 
	CONSTRAINT notification_rule_pkey PRIMARY KEY (facility_id, moment, audience, channel), 
	CONSTRAINT notification_rule_facility_id_fkey FOREIGN KEY(facility_id) REFERENCES notification_settings (facility_id), 
	CONSTRAINT notification_rule_moment_check CHECK (moment IN ('your_turn', 'next', 'near', 'appointment_booked', 'appointment_changed', 'appointment_cancelled', 'appointment_reminder', 'appointment_offered', 'appointment_needs_rebooking', 'appointment_stands_again', 'visit_created', 'phone_code')), 
	CONSTRAINT notification_rule_audience_check CHECK (audience IN ('patient', 'doctor', 'reception', 'administrator'))
);

ALTER TABLE notification_rule ENABLE ROW LEVEL SECURITY;

ALTER TABLE notification_rule FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON notification_rule USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, DELETE ON notification_rule TO dawr_app;

CREATE TABLE patient_access (
	facility_id UUID NOT NULL, 
	access UUID NOT NULL, 
	patient UUID NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	actor TEXT NOT NULL, 
	purpose TEXT NOT NULL, 
	break_glass BOOLEAN NOT NULL, 
	reason_sealed BYTEA, 
	CONSTRAINT patient_access_pkey PRIMARY KEY (facility_id, access), 
	CONSTRAINT patient_access_facility_id_patient_fkey FOREIGN KEY(facility_id, patient) REFERENCES patient (facility_id, patient), 
	CONSTRAINT patient_access_reason_check CHECK (NOT break_glass OR reason_sealed IS NOT NULL)
);

CREATE INDEX patient_access_patient_idx ON patient_access (facility_id, patient, access);

ALTER TABLE patient_access ENABLE ROW LEVEL SECURITY;

ALTER TABLE patient_access FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON patient_access USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT ON patient_access TO dawr_app;

CREATE TABLE patient_index (
	facility_id UUID NOT NULL, 
	kind TEXT NOT NULL, 
	token BYTEA NOT NULL, 
	patient UUID NOT NULL, 
	bloom BIT(128), 
	CONSTRAINT patient_index_pkey PRIMARY KEY (facility_id, kind, token, patient) INCLUDE (bloom), 
	CONSTRAINT patient_index_kind_check CHECK (kind IN ('phone', 'number', 'name', 'person')), 
	CONSTRAINT patient_index_bloom_check CHECK ((kind = 'name') = (bloom IS NOT NULL)), 
	CONSTRAINT patient_index_facility_id_patient_fkey FOREIGN KEY(facility_id, patient) REFERENCES patient (facility_id, patient)
);

CREATE INDEX patient_index_patient_idx ON patient_index (facility_id, patient);

ALTER TABLE patient_index ENABLE ROW LEVEL SECURITY;

ALTER TABLE patient_index FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON patient_index USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, DELETE ON patient_index TO dawr_app;

CREATE TABLE patient_key (
	facility_id UUID NOT NULL, 
	patient UUID NOT NULL, 
	wrapped BYTEA NOT NULL, 
	CONSTRAINT patient_key_pkey PRIMARY KEY (facility_id, patient), 
	CONSTRAINT patient_key_facility_id_patient_fkey FOREIGN KEY(facility_id, patient) REFERENCES patient (facility_id, patient)
);

ALTER TABLE patient_key ENABLE ROW LEVEL SECURITY;

ALTER TABLE patient_key FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON patient_key USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON patient_key TO dawr_app;

CREATE TABLE visit (
	facility_id UUID NOT NULL, 
	visit UUID NOT NULL, 
	patient UUID NOT NULL, 
	service_day DATE NOT NULL, 
	number INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	started_at TIMESTAMP WITH TIME ZONE, 
	ended_at TIMESTAMP WITH TIME ZONE, 
	appointment UUID, 
	version INTEGER NOT NULL, 
	CONSTRAINT visit_pkey PRIMARY KEY (facility_id, visit), 
	CONSTRAINT visit_facility_id_patient_fkey FOREIGN KEY(facility_id, patient) REFERENCES patient (facility_id, patient), 
	CONSTRAINT visit_facility_id_service_day_number_key UNIQUE (facility_id, service_day, number), 
	CONSTRAINT visit_counts_check CHECK (number > 0 AND version > 0), 
	CONSTRAINT visit_status_check CHECK (status IN ('waiting', 'in_progress', 'completed', 'cancelled', 'no_show')), 
	CONSTRAINT visit_ended_check CHECK ((status IN ('waiting', 'in_progress')) = (ended_at IS NULL)), 
	CONSTRAINT visit_started_check CHECK (status <> 'in_progress' OR started_at IS NOT NULL)
);

CREATE INDEX visit_appointment_idx ON visit (facility_id, appointment) WHERE appointment IS NOT NULL;

CREATE INDEX visit_patient_idx ON visit (facility_id, patient, visit);

CREATE INDEX visit_status_idx ON visit (facility_id, service_day, status, number);

ALTER TABLE visit SET (fillfactor = 85);

ALTER TABLE visit ENABLE ROW LEVEL SECURITY;

ALTER TABLE visit FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON visit USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON visit TO dawr_app;

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

CREATE TABLE doctor_average (
	facility_id UUID NOT NULL, 
	doctor TEXT NOT NULL, 
	consultations INTEGER NOT NULL, 
	seconds BIGINT NOT NULL, 
	mean_seconds DOUBLE PRECISION GENERATED ALWAYS AS (seconds::float8 / nullif(consultations, 0)) STORED, 
	CONSTRAINT doctor_average_pkey PRIMARY KEY (facility_id, doctor), 
	CONSTRAINT doctor_average_facility_id_doctor_fkey FOREIGN KEY(facility_id, doctor) REFERENCES doctor (facility_id, doctor), 
	CONSTRAINT doctor_average_counts_check CHECK (consultations >= 0 AND seconds >= 0), 
	CONSTRAINT doctor_average_nothing_check CHECK (consultations > 0 OR seconds = 0)
);

ALTER TABLE doctor_average SET (fillfactor = 50);

ALTER TABLE doctor_average ENABLE ROW LEVEL SECURITY;

ALTER TABLE doctor_average FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON doctor_average USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON doctor_average TO dawr_app;

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

CREATE TABLE schedule (
	facility_id UUID NOT NULL, 
	doctor TEXT NOT NULL, 
	windows JSONB DEFAULT '[]' NOT NULL, 
	extra JSONB DEFAULT '[]' NOT NULL, 
	version INTEGER DEFAULT 0 NOT NULL, 
	CONSTRAINT schedule_pkey PRIMARY KEY (facility_id, doctor), 
	CONSTRAINT schedule_facility_id_doctor_fkey FOREIGN KEY(facility_id, doctor) REFERENCES doctor (facility_id, doctor)
);

ALTER TABLE schedule ENABLE ROW LEVEL SECURITY;

ALTER TABLE schedule FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON schedule USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON schedule TO dawr_app;

CREATE TABLE visit_reason (
	facility_id UUID NOT NULL, 
	visit UUID NOT NULL, 
	version INTEGER NOT NULL, 
	reason_sealed BYTEA NOT NULL, 
	CONSTRAINT visit_reason_pkey PRIMARY KEY (facility_id, visit, version), 
	CONSTRAINT visit_reason_facility_id_visit_fkey FOREIGN KEY(facility_id, visit) REFERENCES visit (facility_id, visit)
);

ALTER TABLE visit_reason ENABLE ROW LEVEL SECURITY;

ALTER TABLE visit_reason FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON visit_reason USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT ON visit_reason TO dawr_app;

CREATE TABLE appointment_waiting (
	facility_id UUID NOT NULL, 
	waiting UUID NOT NULL, 
	patient UUID NOT NULL, 
	doctor TEXT NOT NULL, 
	earliest TIMESTAMP WITH TIME ZONE, 
	latest TIMESTAMP WITH TIME ZONE, 
	status TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	lapses SMALLINT DEFAULT 0 NOT NULL, 
	instead_of UUID, 
	version INTEGER NOT NULL, 
	CONSTRAINT appointment_waiting_pkey PRIMARY KEY (facility_id, waiting), 
	CONSTRAINT appointment_waiting_facility_id_doctor_fkey FOREIGN KEY(facility_id, doctor) REFERENCES schedule (facility_id, doctor), 
	CONSTRAINT appointment_waiting_facility_id_patient_fkey FOREIGN KEY(facility_id, patient) REFERENCES patient (facility_id, patient), 
	CONSTRAINT appointment_waiting_status_check CHECK (status IN ('waiting', 'offered', 'served', 'withdrawn', 'ended', 'closed', 'set_aside'))
);

CREATE UNIQUE INDEX appointment_waiting_instead_key ON appointment_waiting (facility_id, instead_of) WHERE status IN ('waiting', 'offered', 'closed', 'set_aside') AND instead_of IS NOT NULL;

CREATE UNIQUE INDEX appointment_waiting_key ON appointment_waiting (facility_id, doctor, patient) WHERE status IN ('waiting', 'offered');

CREATE INDEX appointment_waiting_latest_idx ON appointment_waiting (facility_id, latest) WHERE status = 'waiting';

CREATE INDEX appointment_waiting_list_idx ON appointment_waiting (facility_id, created_at, waiting) WHERE status IN ('waiting', 'offered');

CREATE INDEX appointment_waiting_order_idx ON appointment_waiting (facility_id, doctor, created_at, waiting) WHERE status IN ('waiting', 'offered');

CREATE INDEX appointment_waiting_patient_idx ON appointment_waiting (facility_id, patient) WHERE status IN ('waiting', 'offered', 'closed', 'set_aside');

ALTER TABLE appointment_waiting ENABLE ROW LEVEL SECURITY;

ALTER TABLE appointment_waiting FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON appointment_waiting USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON appointment_waiting TO dawr_app;

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

CREATE TABLE leave (
	facility_id UUID NOT NULL, 
	leave UUID NOT NULL, 
	doctor TEXT NOT NULL, 
	starts TIMESTAMP WITH TIME ZONE NOT NULL, 
	ends TIMESTAMP WITH TIME ZONE NOT NULL, 
	reason TEXT NOT NULL, 
	cancelled_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT leave_pkey PRIMARY KEY (facility_id, leave), 
	CONSTRAINT leave_facility_id_doctor_fkey FOREIGN KEY(facility_id, doctor) REFERENCES schedule (facility_id, doctor), 
	CONSTRAINT leave_span_check CHECK (starts < ends), 
	CONSTRAINT leave_reason_check CHECK (reason IN ('vacation', 'illness', 'training', 'other'))
);

CREATE INDEX leave_ends_idx ON leave (facility_id, doctor, ends) WHERE cancelled_at IS NULL;

ALTER TABLE leave ENABLE ROW LEVEL SECURITY;

ALTER TABLE leave FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON leave USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON leave TO dawr_app;

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

CREATE TABLE phone_proof (
	facility_id UUID NOT NULL, 
	verification UUID NOT NULL, 
	clinic TEXT NOT NULL, 
	phone BYTEA NOT NULL, 
	tries SMALLINT DEFAULT 0 NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	proved_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT phone_proof_pkey PRIMARY KEY (facility_id, verification), 
	CONSTRAINT phone_proof_facility_id_clinic_fkey FOREIGN KEY(facility_id, clinic) REFERENCES clinic (facility_id, clinic), 
	CONSTRAINT phone_proof_tries_check CHECK (tries BETWEEN 0 AND 5)
);

CREATE INDEX phone_proof_created_idx ON phone_proof (facility_id, created_at);

ALTER TABLE phone_proof ENABLE ROW LEVEL SECURITY;

ALTER TABLE phone_proof FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON phone_proof USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON phone_proof TO dawr_app;

CREATE TABLE queue (
	facility_id UUID NOT NULL, 
	clinic TEXT NOT NULL, 
	service_day DATE NOT NULL, 
	series INTEGER DEFAULT 1 NOT NULL, 
	version BIGINT DEFAULT 0 NOT NULL, 
	last_key BIGINT DEFAULT 0 NOT NULL, 
	carries BOOLEAN DEFAULT true NOT NULL, 
	waiting INTEGER DEFAULT 0 NOT NULL, 
	CONSTRAINT queue_pkey PRIMARY KEY (facility_id, clinic), 
	CONSTRAINT queue_facility_id_clinic_fkey FOREIGN KEY(facility_id, clinic) REFERENCES clinic (facility_id, clinic), 
	CONSTRAINT queue_counts_check CHECK (series > 0 AND version >= 0 AND waiting >= 0)
);

ALTER TABLE queue SET (fillfactor = 50);

ALTER TABLE queue ENABLE ROW LEVEL SECURITY;

ALTER TABLE queue FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON queue USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON queue TO dawr_app;

CREATE TABLE appointment (
	facility_id UUID NOT NULL, 
	appointment UUID NOT NULL, 
	patient UUID NOT NULL, 
	doctor TEXT NOT NULL, 
	clinic TEXT NOT NULL, 
	starts TIMESTAMP WITH TIME ZONE NOT NULL, 
	ends TIMESTAMP WITH TIME ZONE NOT NULL, 
	capacity SMALLINT NOT NULL, 
	seat SMALLINT NOT NULL, 
	status TEXT NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	needs_rebooking BOOLEAN DEFAULT false NOT NULL, 
	doubled BOOLEAN DEFAULT false NOT NULL, 
	waiting UUID, 
	answer_by TIMESTAMP WITH TIME ZONE, 
	visit UUID, 
	version INTEGER NOT NULL, 
	CONSTRAINT appointment_pkey PRIMARY KEY (facility_id, appointment), 
	CONSTRAINT appointment_facility_id_doctor_fkey FOREIGN KEY(facility_id, doctor) REFERENCES schedule (facility_id, doctor), 
	CONSTRAINT appointment_facility_id_clinic_fkey FOREIGN KEY(facility_id, clinic) REFERENCES clinic (facility_id, clinic), 
	CONSTRAINT appointment_facility_id_waiting_fkey FOREIGN KEY(facility_id, waiting) REFERENCES appointment_waiting (facility_id, waiting), 
	CONSTRAINT appointment_facility_id_visit_fkey FOREIGN KEY(facility_id, visit) REFERENCES visit (facility_id, visit), 
	CONSTRAINT appointment_facility_id_patient_fkey FOREIGN KEY(facility_id, patient) REFERENCES patient (facility_id, patient), 
	CONSTRAINT appointment_span_check CHECK (starts < ends), 
	CONSTRAINT appointment_seat_check CHECK (capacity BETWEEN 1 AND 50 AND seat BETWEEN 0 AND capacity - 1), 
	CONSTRAINT appointment_status_check CHECK (status IN ('offered', 'booked', 'checked_in', 'cancelled', 'no_show', 'declined', 'lapsed')), 
	CONSTRAINT appointment_offer_check CHECK ((status = 'offered') = (answer_by IS NOT NULL)), 
	CONSTRAINT appointment_visit_check CHECK ((status = 'checked_in') = (visit IS NOT NULL))
);

CREATE INDEX appointment_attention_idx ON appointment (facility_id, starts, appointment) WHERE status = 'booked' AND (needs_rebooking OR doubled);

CREATE INDEX appointment_booked_idx ON appointment (facility_id, starts) WHERE status = 'booked';

CREATE INDEX appointment_day_idx ON appointment (facility_id, starts, appointment);

CREATE INDEX appointment_offered_idx ON appointment (facility_id, answer_by) WHERE status = 'offered';

CREATE INDEX appointment_patient_idx ON appointment (facility_id, patient, starts, appointment);

CREATE UNIQUE INDEX appointment_seat_key ON appointment (facility_id, doctor, starts, seat) WHERE status IN ('offered', 'booked', 'checked_in');

CREATE INDEX appointment_waiting_idx ON appointment (facility_id, waiting) WHERE waiting IS NOT NULL;

ALTER TABLE appointment ENABLE ROW LEVEL SECURITY;

ALTER TABLE appointment FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON appointment USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON appointment TO dawr_app;

CREATE TABLE appointment_wanted (
	facility_id UUID NOT NULL, 
	doctor TEXT NOT NULL, 
	node INTEGER NOT NULL, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	waiting UUID NOT NULL, 
	CONSTRAINT appointment_wanted_pkey PRIMARY KEY (facility_id, doctor, node, created_at, waiting), 
	CONSTRAINT appointment_wanted_facility_id_waiting_fkey FOREIGN KEY(facility_id, waiting) REFERENCES appointment_waiting (facility_id, waiting), 
	CONSTRAINT appointment_wanted_node_check CHECK (node BETWEEN 1 AND 33554431)
);

CREATE INDEX appointment_wanted_idx ON appointment_wanted (waiting);

ALTER TABLE appointment_wanted ENABLE ROW LEVEL SECURITY;

ALTER TABLE appointment_wanted FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON appointment_wanted USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, DELETE ON appointment_wanted TO dawr_app;

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

CREATE INDEX ticket_open_idx ON ticket (facility_id, clinic, status, rank, order_key, id) WHERE status IN ('waiting', 'called', 'serving', 'held');

CREATE UNIQUE INDEX ticket_person_key ON ticket (facility_id, clinic, person) WHERE status IN ('waiting', 'called', 'serving', 'held') AND person IS NOT NULL;

CREATE INDEX ticket_waiting_doctor_idx ON ticket (facility_id, clinic, doctor, rank, order_key, id) WHERE status = 'waiting';

ALTER TABLE ticket SET (fillfactor = 80);

ALTER TABLE ticket ENABLE ROW LEVEL SECURITY;

ALTER TABLE ticket FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON ticket USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON ticket TO dawr_app;

CREATE TABLE appointment_occupied (
	facility_id UUID NOT NULL, 
	who TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	appointment UUID NOT NULL, 
	CONSTRAINT appointment_occupied_pkey PRIMARY KEY (facility_id, who, at), 
	CONSTRAINT appointment_occupied_facility_id_appointment_fkey FOREIGN KEY(facility_id, appointment) REFERENCES appointment (facility_id, appointment)
);

CREATE INDEX appointment_occupied_idx ON appointment_occupied (facility_id, appointment);

ALTER TABLE appointment_occupied ENABLE ROW LEVEL SECURITY;

ALTER TABLE appointment_occupied FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON appointment_occupied USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, DELETE ON appointment_occupied TO dawr_app;

CREATE TABLE consultation (
	facility_id UUID NOT NULL, 
	id UUID NOT NULL, 
	ticket UUID NOT NULL, 
	clinic TEXT NOT NULL, 
	author UUID NOT NULL, 
	doctor TEXT, 
	visit UUID, 
	patient UUID, 
	started_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	ended_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	duration_seconds INTEGER NOT NULL, 
	outcome TEXT, 
	referred_to UUID, 
	standing TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT consultation_pkey PRIMARY KEY (facility_id, id), 
	CONSTRAINT consultation_facility_id_ticket_fkey FOREIGN KEY(facility_id, ticket) REFERENCES ticket (facility_id, id), 
	CONSTRAINT consultation_facility_id_clinic_fkey FOREIGN KEY(facility_id, clinic) REFERENCES clinic (facility_id, clinic), 
	CONSTRAINT consultation_facility_id_doctor_fkey FOREIGN KEY(facility_id, doctor) REFERENCES doctor (facility_id, doctor), 
	CONSTRAINT consultation_facility_id_visit_fkey FOREIGN KEY(facility_id, visit) REFERENCES visit (facility_id, visit), 
	CONSTRAINT consultation_facility_id_patient_fkey FOREIGN KEY(facility_id, patient) REFERENCES patient (facility_id, patient), 
	CONSTRAINT consultation_facility_id_referred_to_fkey FOREIGN KEY(facility_id, referred_to) REFERENCES ticket (facility_id, id), 
	CONSTRAINT consultation_duration_check CHECK (duration_seconds >= 0), 
	CONSTRAINT consultation_version_check CHECK (version > 0), 
	CONSTRAINT consultation_standing_check CHECK (standing IN ('final', 'amended', 'entered_in_error')), 
	CONSTRAINT consultation_patient_check CHECK ((visit IS NULL) = (patient IS NULL))
);

CREATE INDEX consultation_patient_idx ON consultation (facility_id, patient, id) WHERE patient IS NOT NULL;

CREATE UNIQUE INDEX consultation_ticket_key ON consultation (facility_id, ticket) WHERE standing <> 'entered_in_error';

ALTER TABLE consultation ENABLE ROW LEVEL SECURITY;

ALTER TABLE consultation FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON consultation USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON consultation TO dawr_app;

CREATE TABLE rating (
	facility_id UUID NOT NULL, 
	ticket UUID NOT NULL, 
	clinic TEXT NOT NULL, 
	service_day DATE NOT NULL, 
	stars SMALLINT NOT NULL, 
	word_sealed BYTEA, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT rating_pkey PRIMARY KEY (facility_id, ticket), 
	CONSTRAINT rating_facility_id_ticket_fkey FOREIGN KEY(facility_id, ticket) REFERENCES ticket (facility_id, id), 
	CONSTRAINT rating_stars_check CHECK (stars BETWEEN 1 AND 5), 
	CONSTRAINT rating_version_check CHECK (version > 0)
);

CREATE INDEX rating_day_idx ON rating (facility_id, service_day, clinic, stars);

ALTER TABLE rating ENABLE ROW LEVEL SECURITY;

ALTER TABLE rating FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON rating USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON rating TO dawr_app;

CREATE TABLE visit_ticket (
	facility_id UUID NOT NULL, 
	ticket UUID NOT NULL, 
	visit UUID NOT NULL, 
	clinic TEXT NOT NULL, 
	CONSTRAINT visit_ticket_pkey PRIMARY KEY (facility_id, ticket), 
	CONSTRAINT visit_ticket_facility_id_visit_fkey FOREIGN KEY(facility_id, visit) REFERENCES visit (facility_id, visit), 
	CONSTRAINT visit_ticket_facility_id_ticket_fkey FOREIGN KEY(facility_id, ticket) REFERENCES ticket (facility_id, id)
);

CREATE INDEX visit_ticket_visit_idx ON visit_ticket (facility_id, visit, ticket);

ALTER TABLE visit_ticket ENABLE ROW LEVEL SECURITY;

ALTER TABLE visit_ticket FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON visit_ticket USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT ON visit_ticket TO dawr_app;

CREATE TABLE consultation_access (
	facility_id UUID NOT NULL, 
	access UUID NOT NULL, 
	consultation UUID NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	actor TEXT NOT NULL, 
	reason_sealed BYTEA, 
	CONSTRAINT consultation_access_pkey PRIMARY KEY (facility_id, access), 
	CONSTRAINT consultation_access_facility_id_consultation_fkey FOREIGN KEY(facility_id, consultation) REFERENCES consultation (facility_id, id)
);

CREATE INDEX consultation_access_idx ON consultation_access (facility_id, consultation, access);

ALTER TABLE consultation_access ENABLE ROW LEVEL SECURITY;

ALTER TABLE consultation_access FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON consultation_access USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE (reason_sealed) ON consultation_access TO dawr_app;

CREATE TABLE consultation_note (
	facility_id UUID NOT NULL, 
	consultation UUID NOT NULL, 
	version INTEGER NOT NULL, 
	notes_sealed BYTEA NOT NULL, 
	outcome TEXT, 
	standing TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT consultation_note_pkey PRIMARY KEY (facility_id, consultation, version), 
	CONSTRAINT consultation_note_facility_id_consultation_fkey FOREIGN KEY(facility_id, consultation) REFERENCES consultation (facility_id, id), 
	CONSTRAINT consultation_note_version_check CHECK (version > 0)
);

ALTER TABLE consultation_note ENABLE ROW LEVEL SECURITY;

ALTER TABLE consultation_note FORCE ROW LEVEL SECURITY;

CREATE POLICY facility ON consultation_note USING (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid) WITH CHECK (facility_id = nullif(current_setting('dawr.facility', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE (notes_sealed) ON consultation_note TO dawr_app;

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
    WHERE s.session_id = (
        SELECT f.session_id FROM directory.session f
        WHERE f.session_id = id AND f.revoked_at IS NULL AND f.expires_at > at AND f.last_seen_at < at - interval '1 minute'
          AND CASE WHEN f.kind = 'cookie' THEN f.secret_hash = secret ELSE secret IS NULL END
        FOR UPDATE SKIP LOCKED);
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

CREATE OR REPLACE FUNCTION directory.followers_due(wanted text) RETURNS TABLE (facility uuid, name text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  present record;
BEGIN
  SELECT epoch, begins_after INTO present FROM public.log_epoch ORDER BY started_at DESC LIMIT 1;
  FOR facility IN SELECT f.facility_id FROM directory.facilities() f LOOP
    PERFORM set_config('dawr.facility', facility::text, true);
    FOR name IN
      SELECT f.follower FROM public.follower f
      WHERE f.facility_id = facility AND starts_with(f.follower, wanted) AND f.enabled AND f.due <= clock_timestamp() AND (
        f.epoch <> present.epoch
        OR EXISTS (SELECT FROM public.event e WHERE e.facility_id = facility AND (e.xact, e.id) > (f.xact::xid8, f.id)
                   AND e.id > present.begins_after AND e.xact < pg_snapshot_xmin(pg_current_snapshot()))
        OR EXISTS (SELECT FROM public.follower_failure x
                   WHERE x.facility_id = facility AND x.follower = f.follower AND x.again))
    LOOP
      RETURN NEXT;
    END LOOP;
    IF right(wanted, 1) <> ':'
       AND NOT EXISTS (SELECT FROM public.follower f WHERE f.facility_id = facility AND f.follower = wanted) THEN
      name := wanted;
      RETURN NEXT;
    END IF;
  END LOOP;
  PERFORM set_config('dawr.facility', '', true);
END $$;

REVOKE ALL ON FUNCTION directory.followers_due(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION directory.followers_due(text) TO dawr_app;
