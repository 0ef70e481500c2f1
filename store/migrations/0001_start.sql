-- Times are Unix milliseconds, UTC. Booleans are 0 or 1. Sealed columns hold
-- Keyring.Seal output. One text for SQLite and PostgreSQL.

CREATE TABLE meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value BLOB NOT NULL
) STRICT;

CREATE TABLE users (
  id                TEXT    NOT NULL PRIMARY KEY,
  email             TEXT    NOT NULL,          -- as typed
  email_norm        TEXT    NOT NULL UNIQUE,   -- as compared
  email_verified_at INTEGER,
  name              TEXT    NOT NULL DEFAULT '',
  language          TEXT    NOT NULL DEFAULT '',
  admin             INTEGER NOT NULL DEFAULT 0 CHECK (admin IN (0, 1)),
  disabled_at       INTEGER,
  created_at        INTEGER NOT NULL,
  updated_at        INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
  token_hash     BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of the cookie's token
  id             TEXT    NOT NULL UNIQUE,      -- the public handle; never the token
  user_id        TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  amr            TEXT    NOT NULL,             -- space-separated means: "email"
  auth_at        INTEGER NOT NULL,             -- when the person last proved themselves
  created_at     INTEGER NOT NULL,
  seen_at        INTEGER NOT NULL,
  expires_at     INTEGER NOT NULL,
  max_expires_at INTEGER NOT NULL,             -- rolling never passes this
  ip             TEXT    NOT NULL,
  device         TEXT    NOT NULL              -- "Firefox on Linux"
) STRICT;

CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE challenges (
  id              TEXT    NOT NULL PRIMARY KEY,
  token_hash      BLOB    NOT NULL UNIQUE,     -- SHA-256 of the mailed token
  purpose         TEXT    NOT NULL CHECK (purpose IN ('signin')),
  email_norm      TEXT    NOT NULL,
  user_id         TEXT REFERENCES users (id) ON DELETE CASCADE, -- NULL: nobody by that address
  browser_hash    BLOB    NOT NULL,            -- of the login cookie that asked
  code_hash       BLOB    NOT NULL,            -- HMAC of the 6 digits, bound to id
  attempts        INTEGER NOT NULL DEFAULT 0,
  sends           INTEGER NOT NULL DEFAULT 1,  -- how often this browser has asked for this address
  ip              TEXT    NOT NULL,
  device          TEXT    NOT NULL,
  created_at      INTEGER NOT NULL,
  expires_at      INTEGER NOT NULL,            -- of the link
  code_expires_at INTEGER NOT NULL,
  ended_at        INTEGER,
  ended_by        TEXT    NOT NULL DEFAULT '' CHECK (ended_by IN ('', 'used', 'superseded', 'cancelled'))
) STRICT;

CREATE INDEX challenges_email ON challenges (email_norm, purpose);
CREATE INDEX challenges_user ON challenges (user_id);
CREATE INDEX challenges_expiry ON challenges (expires_at);

CREATE TABLE messages (
  id           TEXT    NOT NULL PRIMARY KEY,
  class        INTEGER NOT NULL CHECK (class IN (0, 1, 2, 3)), -- sign-in, notice, relayed, report
  purpose      TEXT    NOT NULL,
  challenge_id TEXT REFERENCES challenges (id) ON DELETE SET NULL,
  addressed    INTEGER NOT NULL CHECK (addressed IN (0, 1)), -- 0: nobody by that address; goes through the queue and is dropped
  domain       TEXT    NOT NULL,
  rcpt_hash    BLOB    NOT NULL,               -- keyed hash: survives the purge
  rcpt         BLOB    NOT NULL,               -- sealed; empty once done
  env_from     TEXT    NOT NULL,
  state        TEXT    NOT NULL CHECK (state IN ('queued', 'leased', 'held', 'sent', 'captured', 'failed', 'expired', 'suppressed', 'cancelled', 'unaddressed')),
  attempts     INTEGER NOT NULL DEFAULT 0,
  ambiguous    INTEGER NOT NULL DEFAULT 0,     -- attempts that ended after the final dot without an answer
  due_at       INTEGER NOT NULL,               -- queued: next attempt; leased: end of the lease
  next_at      INTEGER NOT NULL,               -- the attempt booked before dialling
  not_after    INTEGER NOT NULL,
  lease_owner  TEXT    NOT NULL DEFAULT '',
  gen          INTEGER NOT NULL DEFAULT 0,     -- fences results of a lost lease
  phase        TEXT    NOT NULL DEFAULT '' CHECK (phase IN ('', 'dot')),
  last_code    INTEGER NOT NULL DEFAULT 0,
  last_enh     TEXT    NOT NULL DEFAULT '',
  last_text    TEXT    NOT NULL DEFAULT '',
  transport    TEXT    NOT NULL DEFAULT '',
  last_ip      TEXT    NOT NULL DEFAULT '',
  tls          TEXT    NOT NULL DEFAULT '',
  msgid        TEXT    NOT NULL,
  reference    TEXT    NOT NULL,               -- of the request that asked for it
  created_at   INTEGER NOT NULL,
  done_at      INTEGER,
  body         BLOB    NOT NULL                -- sealed; empty once done
) STRICT;

CREATE INDEX messages_due ON messages (class, due_at) WHERE state IN ('queued', 'leased');
CREATE INDEX messages_rcpt ON messages (rcpt_hash, state);
CREATE INDEX messages_challenge ON messages (challenge_id);
CREATE INDEX messages_done ON messages (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX messages_created ON messages (created_at);

CREATE TABLE events (
  id        TEXT    NOT NULL PRIMARY KEY,      -- sorts by time
  at        INTEGER NOT NULL,
  kind      TEXT    NOT NULL,
  user_id   TEXT    NOT NULL,                  -- no foreign key: the log outlives the user
  actor     TEXT    NOT NULL,                  -- "user", "admin", "system" or "visitor"
  ip        TEXT    NOT NULL,
  device    TEXT    NOT NULL,
  reference TEXT    NOT NULL,
  detail    TEXT    NOT NULL
) STRICT;

CREATE INDEX events_at ON events (at);
CREATE INDEX events_user ON events (user_id, at);
CREATE INDEX events_reference ON events (reference);
