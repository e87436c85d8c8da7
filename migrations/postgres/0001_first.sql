-- The first schema. Portable types only: TEXT (ids, addresses, hashes, JSON), BIGINT (seconds since the epoch), BOOLEAN.
-- Hashes are SHA-256 in base64url; no secret stands here in clear. docs/storage.md tells each table with an example.

-- Ids compare byte by byte (COLLATE "C"), as on SQLite: those that begin with their birth sort by it.

-- SQLite's json_each, as far as set-based statements use it: one row an element of a JSON array, in order.
CREATE FUNCTION json_each(list text) RETURNS TABLE (key bigint, value json) LANGUAGE sql IMMUTABLE STRICT ROWS 32 AS
$$ SELECT ordinality - 1, element FROM json_array_elements($1::json) WITH ORDINALITY AS elements (element, ordinality) $$;

-- Clients that registered (RFC 7591) or were entered. Read by every request that names a client (through a cache).
-- Rows die when never used for `lifetimes.registration_unused`, or long after they were deleted: the tombstone is read by their grants.
CREATE TABLE clients (
    client_id               TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind                    TEXT COLLATE "C" NOT NULL,
    name                    TEXT COLLATE "C" NOT NULL,
    redirect_uris           TEXT NOT NULL,
    auth_method             TEXT NOT NULL,
    secret_hash             TEXT,
    secret_expires_at       BIGINT,
    grant_types             TEXT NOT NULL,
    scope                   TEXT,
    registration_token_hash TEXT,
    metadata                TEXT NOT NULL,
    metadata_digest         TEXT NOT NULL,
    created_at              BIGINT NOT NULL,
    last_used_at            BIGINT,
    ended_at                BIGINT,
    ended_before            BIGINT
);
CREATE INDEX clients_pending ON clients (created_at) WHERE last_used_at IS NULL AND ended_at IS NULL;
CREATE INDEX clients_ended ON clients (ended_at) WHERE ended_at IS NOT NULL;

-- People. Read with every grant and browser session. Rows do not die: a name is never given twice.
CREATE TABLE subjects (
    subject      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    display_name TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    disabled_at  BIGINT,
    ended_before BIGINT
);

-- Accounts with a password kept here. Read at sign-in, and by subject when rules ask for the user name. Rows do not die.
CREATE TABLE accounts (
    username     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    subject      TEXT COLLATE "C" NOT NULL REFERENCES subjects (subject),
    password_phc TEXT NOT NULL,
    created_at   BIGINT NOT NULL
);
CREATE INDEX accounts_subject ON accounts (subject);

-- Whom an identity provider means by its name for a person; never found by mail address (attack 61). Read at each sign-in there.
-- Rows do not die.
CREATE TABLE identities (
    issuer           TEXT COLLATE "C" NOT NULL,
    upstream_subject TEXT COLLATE "C" NOT NULL,
    subject          TEXT COLLATE "C" NOT NULL REFERENCES subjects (subject),
    created_at       BIGINT NOT NULL,
    PRIMARY KEY (issuer, upstream_subject)
);

-- One person's sign-in at one provider. Read with every grant and browser session. `facts` is what the provider last said of the person;
-- who asks it again holds the row until `checking_until`. Rows die long after they ended, or were last asked about.
CREATE TABLE upstream_sessions (
    upstream_session TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    subject          TEXT COLLATE "C" NOT NULL,
    idp              TEXT COLLATE "C" NOT NULL,
    issuer           TEXT COLLATE "C" NOT NULL,
    upstream_subject TEXT COLLATE "C" NOT NULL,
    sid              TEXT COLLATE "C",
    facts            TEXT NOT NULL,
    sealed_token     TEXT,
    created_at       BIGINT NOT NULL,
    checked_at       BIGINT NOT NULL,
    checking_until   BIGINT,
    ends_at          BIGINT,
    ended_at         BIGINT
);
CREATE INDEX upstream_sessions_sid ON upstream_sessions (issuer, sid) WHERE ended_at IS NULL AND sid IS NOT NULL;
CREATE INDEX upstream_sessions_person ON upstream_sessions (issuer, upstream_subject) WHERE ended_at IS NULL;
CREATE INDEX upstream_sessions_checked ON upstream_sessions (checked_at) WHERE ended_at IS NULL;
CREATE INDEX upstream_sessions_ended ON upstream_sessions (ended_at) WHERE ended_at IS NOT NULL;

-- A person signed in with us in one browser; the cookie holds the secret. Read by every page (through a cache).
-- Rows die when they expire.
CREATE TABLE browser_sessions (
    session_hash     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    subject          TEXT COLLATE "C" NOT NULL,
    upstream_session TEXT COLLATE "C",
    auth_time        BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    ended_at         BIGINT
);
CREATE INDEX browser_sessions_expiry ON browser_sessions (expires_at);
CREATE INDEX browser_sessions_subject ON browser_sessions (subject);
CREATE INDEX browser_sessions_upstream ON browser_sessions (upstream_session) WHERE upstream_session IS NOT NULL;

-- Remembered approvals, to skip the page. Read by /authorize (through a cache). Rows die when they expire.
CREATE TABLE consents (
    subject       TEXT COLLATE "C" NOT NULL,
    client_id     TEXT COLLATE "C" NOT NULL,
    redirect_uri  TEXT COLLATE "C" NOT NULL,
    resource      TEXT COLLATE "C" NOT NULL,
    scope         TEXT NOT NULL,
    client_digest TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    PRIMARY KEY (subject, client_id, redirect_uri, resource)
);
CREATE INDEX consents_expiry ON consents (expires_at);

-- What a person allowed a client, born when its code is redeemed, with its whole refresh family in one row. Read and written by /token.
-- The id begins with its birth, so the table grows at its end. No column that a rotation writes is indexed.
-- Rows die a day after the last refresh token made from them is past (walked in order of birth, purge.rs).
CREATE TABLE grants (
    grant_id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    client_id          TEXT COLLATE "C" NOT NULL,
    subject            TEXT COLLATE "C" NOT NULL,
    resource           TEXT COLLATE "C" NOT NULL,
    scope              TEXT NOT NULL,
    redirect_uri       TEXT COLLATE "C" NOT NULL,
    upstream_session   TEXT COLLATE "C",
    auth_time          BIGINT NOT NULL,
    created_at         BIGINT NOT NULL,
    redeemed_at        BIGINT NOT NULL,
    expires_at         BIGINT NOT NULL,
    last_used_at       BIGINT,
    ended_at           BIGINT,
    end_reason         TEXT,
    generation         BIGINT NOT NULL,
    refresh_hash       TEXT,
    refresh_expires_at BIGINT,
    previous_hash      TEXT,
    rotated_at         BIGINT,
    answered_again     BIGINT NOT NULL,
    successor_sealed   TEXT
);
CREATE INDEX grants_subject ON grants (subject);

-- What may come once. Read by first_seen. Rows die when they expire.
CREATE TABLE seen (
    kind  TEXT COLLATE "C" NOT NULL,
    id    TEXT COLLATE "C" NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX seen_until ON seen (until);

-- One row a feed: the number of its newest entry, raised in the transaction of the entry. Rows do not die.
CREATE TABLE counters (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('ended', 0), ('stale', 0);

-- What ended while access tokens of it may live. Read every second by every process and guard. Rows die when the last such token has.
CREATE TABLE ended (
    number       BIGINT NOT NULL PRIMARY KEY,
    kind         TEXT COLLATE "C" NOT NULL,
    hash         TEXT NOT NULL,
    born_before  BIGINT,
    forget_after BIGINT NOT NULL
);

-- Which cached rows changed. Read every second by every process. Rows die after ten minutes.
CREATE TABLE stale (
    number       BIGINT NOT NULL PRIMARY KEY,
    noun         TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    forget_after BIGINT NOT NULL
);

-- Signing keys: the private half sealed, the public half as JWK. Read at start and when keys change. Rows die a month after retiring.
CREATE TABLE signing_keys (
    kid            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    alg            TEXT NOT NULL,
    sealed_private TEXT NOT NULL,
    public_jwk     TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    active_from    BIGINT NOT NULL,
    retire_at      BIGINT
);

-- Values that may never change, sealed: what pairwise names of people are made with. Read at start. Rows do not die.
CREATE TABLE salts (
    name   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sealed TEXT NOT NULL
);

-- What happened. Read by operators; its id is the receipt of the write that it tells of. Rows die after 90 days.
CREATE TABLE audit (
    audit_id  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at        BIGINT NOT NULL,
    event     TEXT NOT NULL,
    client_id TEXT COLLATE "C",
    subject   TEXT COLLATE "C",
    grant_id  TEXT COLLATE "C",
    reason    TEXT,
    reference TEXT COLLATE "C",
    source_ip TEXT,
    detail    TEXT
);
