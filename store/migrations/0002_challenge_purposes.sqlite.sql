-- Challenges of more kinds than signing in. SQLite cannot drop a CHECK.

CREATE TABLE challenges_new (
  id              TEXT    NOT NULL PRIMARY KEY,
  token_hash      BLOB    NOT NULL UNIQUE,
  purpose         TEXT    NOT NULL,
  email_norm      TEXT    NOT NULL,
  user_id         TEXT REFERENCES users (id) ON DELETE CASCADE,
  browser_hash    BLOB    NOT NULL,
  code_hash       BLOB    NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  sends           INTEGER NOT NULL DEFAULT 1,
  ip              TEXT    NOT NULL,
  device          TEXT    NOT NULL,
  created_at      INTEGER NOT NULL,
  expires_at      INTEGER NOT NULL,
  code_expires_at INTEGER NOT NULL,
  ended_at        INTEGER,
  ended_by        TEXT    NOT NULL DEFAULT '' CHECK (ended_by IN ('', 'used', 'superseded', 'cancelled'))
) STRICT;

INSERT INTO challenges_new (id, token_hash, purpose, email_norm, user_id, browser_hash, code_hash, attempts, sends, ip, device, created_at, expires_at, code_expires_at, ended_at, ended_by)
SELECT id, token_hash, purpose, email_norm, user_id, browser_hash, code_hash, attempts, sends, ip, device, created_at, expires_at, code_expires_at, ended_at, ended_by
  FROM challenges;

DROP TABLE challenges;
ALTER TABLE challenges_new RENAME TO challenges;

CREATE INDEX challenges_email ON challenges (email_norm, purpose);
CREATE INDEX challenges_user ON challenges (user_id);
CREATE INDEX challenges_expiry ON challenges (expires_at);
