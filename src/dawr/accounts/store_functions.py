"""The only ways into the directory of accounts. Each runs with its owner's rights and does one thing; none but
``account_login`` gives a password's hash, and that only to whoever names the address.

Tables are written with their schema and ``pg_temp`` comes last, so that no caller can put a table of their own in the way.
"""

from dawr.platform.schema import CURRENT_FACILITY, define_function

_SECURE = "SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
_WORKS_SOMEWHERE = """
(a.operator OR EXISTS (SELECT FROM directory.account_facility f WHERE f.account_id = a.account_id AND f.active))
"""
_FACILITIES = """
array(SELECT f.facility_id FROM directory.account_facility f
      WHERE f.account_id = a.account_id AND f.active ORDER BY f.since, f.facility_id)
"""

define_function(
    "directory.account_create(uuid, bytea, bytea, bytea, text, boolean, boolean, text, timestamptz)",
    f"""
CREATE FUNCTION directory.account_create(
    id uuid, email bytea, email_index bytea, display_name bytea, password_hash text, temporary boolean,
    operator boolean, language text, at timestamptz
) RETURNS boolean LANGUAGE sql {_SECURE} AS $$
    WITH made AS (
        INSERT INTO directory.account (account_id, email, email_index, display_name, password_hash, password_temporary,
                                       operator, language, created_at)
        VALUES (id, email, email_index, display_name, password_hash, temporary, operator, language, at)
        ON CONFLICT (email_index) DO NOTHING RETURNING 1
    )
    SELECT EXISTS (SELECT FROM made)
$$
""",
)

define_function(
    "directory.account_find(bytea)",
    f"""
CREATE FUNCTION directory.account_find(wanted bytea) RETURNS uuid LANGUAGE sql {_SECURE} AS $$
    SELECT a.account_id FROM directory.account a WHERE a.email_index = wanted
$$
""",
)

define_function(
    "directory.account_login(bytea)",
    f"""
CREATE FUNCTION directory.account_login(wanted bytea)
RETURNS TABLE (account_id uuid, password_hash text, allowed boolean) LANGUAGE sql {_SECURE} AS $$
    SELECT a.account_id, a.password_hash, a.disabled_at IS NULL AND {_WORKS_SOMEWHERE}
    FROM directory.account a WHERE a.email_index = wanted
$$
""",
)

define_function(
    "directory.account_cards(uuid[])",
    f"""
CREATE FUNCTION directory.account_cards(wanted uuid[])
RETURNS TABLE (account_id uuid, email bytea, display_name bytea, operator boolean, language text,
               password_temporary boolean, disabled boolean) LANGUAGE sql {_SECURE} AS $$
    SELECT a.account_id, a.email, a.display_name, a.operator, a.language, a.password_temporary,
           a.disabled_at IS NOT NULL
    FROM directory.account a WHERE a.account_id = any(wanted)
$$
""",
)

define_function(
    "directory.account_password(uuid, text, boolean)",
    f"""
CREATE FUNCTION directory.account_password(id uuid, hash text, temporary boolean) RETURNS void LANGUAGE sql {_SECURE} AS $$
    UPDATE directory.account SET password_hash = hash, password_temporary = temporary WHERE account_id = id
$$
""",
)

define_function(
    "directory.account_rehash(uuid, text, text)",
    f"""
CREATE FUNCTION directory.account_rehash(id uuid, known text, hash text) RETURNS void LANGUAGE sql {_SECURE} AS $$
    UPDATE directory.account SET password_hash = hash WHERE account_id = id AND password_hash = known
$$
""",
)

define_function(
    "directory.account_disable(uuid, timestamptz)",
    f"""
CREATE FUNCTION directory.account_disable(id uuid, at timestamptz) RETURNS boolean LANGUAGE sql {_SECURE} AS $$
    WITH done AS (UPDATE directory.account SET disabled_at = at WHERE account_id = id RETURNING 1)
    SELECT EXISTS (SELECT FROM done)
$$
""",
)

define_function(
    "directory.account_elsewhere(uuid)",
    f"""
CREATE FUNCTION directory.account_elsewhere(id uuid) RETURNS boolean LANGUAGE sql {_SECURE} AS $$
    SELECT EXISTS (SELECT FROM directory.account a WHERE a.account_id = id AND a.operator)
        OR EXISTS (SELECT FROM directory.account_facility f
                   WHERE f.account_id = id AND f.facility_id IS DISTINCT FROM {CURRENT_FACILITY})
$$
""",
)

define_function(
    "directory.account_link(uuid, boolean, timestamptz)",
    f"""
CREATE FUNCTION directory.account_link(id uuid, is_active boolean, at timestamptz) RETURNS void LANGUAGE sql {_SECURE} AS $$
    INSERT INTO directory.account_facility (account_id, facility_id, active, since)
    VALUES (id, {CURRENT_FACILITY}, is_active, at)
    ON CONFLICT (account_id, facility_id) DO UPDATE SET active = excluded.active
$$
""",
)

define_function(
    "directory.account_unlink(uuid)",
    f"""
CREATE FUNCTION directory.account_unlink(id uuid) RETURNS void LANGUAGE sql {_SECURE} AS $$
    DELETE FROM directory.account_facility WHERE account_id = id AND facility_id = {CURRENT_FACILITY}
$$
""",
)

define_function(
    "directory.session_open(uuid, uuid, text, bytea, timestamptz, interval, bytea, text)",
    f"""
CREATE FUNCTION directory.session_open(
    id uuid, account uuid, kind text, secret bytea, at timestamptz, lives interval, network bytea, agent text
) RETURNS void LANGUAGE sql {_SECURE} AS $$
    INSERT INTO directory.session (session_id, account_id, kind, secret_hash, created_at, expires_at, last_seen_at,
                                   network, agent)
    VALUES (id, account, kind, secret, at, at + lives, at, network, agent)
$$
""",
)

# A bearer token is proved by its signature, so ``secret`` is null; a cookie by the hash of its secret. The row is written
# at most once a minute: that keeps a cookie's session alive without a write for every request. Many are resolved together: one
# that somebody else changes at the moment is passed over, so that nobody waits for another's session.
define_function(
    "directory.session_resolve(uuid, bytea, timestamptz, interval, interval)",
    f"""
CREATE FUNCTION directory.session_resolve(id uuid, secret bytea, at timestamptz, idle interval, longest interval)
RETURNS TABLE (account_id uuid, kind text, operator boolean, language text, facilities uuid[])
LANGUAGE sql {_SECURE} AS $$
    UPDATE directory.session s
    SET last_seen_at = at,
        expires_at = CASE WHEN s.kind = 'cookie' THEN least(at + idle, s.created_at + longest) ELSE s.expires_at END
    WHERE s.session_id = (
        SELECT f.session_id FROM directory.session f
        WHERE f.session_id = id AND f.revoked_at IS NULL AND f.expires_at > at AND f.last_seen_at < at - interval '1 minute'
          AND CASE WHEN f.kind = 'cookie' THEN f.secret_hash = secret ELSE secret IS NULL END
        FOR UPDATE SKIP LOCKED);
    SELECT a.account_id, s.kind, a.operator, a.language, {_FACILITIES}
    FROM directory.session s JOIN directory.account a ON a.account_id = s.account_id
    WHERE s.session_id = id AND s.revoked_at IS NULL AND s.expires_at > at
      AND CASE WHEN s.kind = 'cookie' THEN s.secret_hash = secret ELSE secret IS NULL END
      AND a.disabled_at IS NULL AND {_WORKS_SOMEWHERE}
$$
""",
)

# ``repeated``: the answer to the last refresh was lost, so the token before it may ask again for a moment and gets the same
# one. Any other token that is not the current one was used before, by its owner or by a thief: the session ends for both.
define_function(
    "directory.session_rotate(uuid, bytea, bytea, timestamptz, interval, interval, interval)",
    f"""
CREATE FUNCTION directory.session_rotate(
    id uuid, presented bytea, following bytea, at timestamptz, leeway interval, lives interval, longest interval
) RETURNS TABLE (outcome text, account_id uuid) LANGUAGE plpgsql {_SECURE} AS $$
#variable_conflict use_column
DECLARE s directory.session; allowed boolean;
BEGIN
    SELECT * INTO s FROM directory.session WHERE session_id = id AND kind = 'token' FOR UPDATE;
    SELECT a.disabled_at IS NULL AND {_WORKS_SOMEWHERE} INTO allowed
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
$$
""",
)

define_function(
    "directory.session_revoke(uuid, timestamptz)",
    f"""
CREATE FUNCTION directory.session_revoke(id uuid, at timestamptz) RETURNS void LANGUAGE sql {_SECURE} AS $$
    UPDATE directory.session SET revoked_at = at WHERE session_id = id AND revoked_at IS NULL
$$
""",
)

define_function(
    "directory.session_revoke_all(uuid, uuid, timestamptz)",
    f"""
CREATE FUNCTION directory.session_revoke_all(account uuid, sparing uuid, at timestamptz) RETURNS void
LANGUAGE sql {_SECURE} AS $$
    UPDATE directory.session SET revoked_at = at
    WHERE account_id = account AND revoked_at IS NULL AND session_id IS DISTINCT FROM sparing
$$
""",
)

define_function(
    "directory.session_purge(timestamptz)",
    f"""
CREATE FUNCTION directory.session_purge(before timestamptz) RETURNS bigint LANGUAGE sql {_SECURE} AS $$
    WITH gone AS (
        DELETE FROM directory.session WHERE expires_at < before OR revoked_at < before RETURNING 1
    )
    SELECT count(*) FROM gone
$$
""",
)
