-- Mail that other apps hand to us: who may, and what they handed over.

CREATE TABLE submission_credentials (
  id          TEXT    NOT NULL PRIMARY KEY,
  name        TEXT    NOT NULL UNIQUE,         -- also the user name of the login
  secret_hash BLOB    NOT NULL,                -- SHA-256 of a random password
  senders     TEXT    NOT NULL,                -- patterns, separated by spaces: "nas@home.example", "*@home.example"
  recipients  TEXT    NOT NULL,                -- the same; "*" is anybody, "users" our own
  per_hour    INTEGER NOT NULL,                -- recipients
  per_day     INTEGER NOT NULL,
  max_bytes   INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  used_at     INTEGER
) STRICT;

-- One mail with one body, for one or more recipients: each has a message.
CREATE TABLE submissions (
  id            TEXT    NOT NULL PRIMARY KEY,
  credential_id TEXT    NOT NULL,              -- no foreign key: what was accepted outlives who might send it
  recipients    INTEGER NOT NULL,              -- how many
  created_at    INTEGER NOT NULL,
  body          BLOB    NOT NULL               -- sealed; empty once no message needs it
) STRICT;

CREATE INDEX submissions_credential ON submissions (credential_id, created_at);
CREATE INDEX submissions_created ON submissions (created_at);

ALTER TABLE messages ADD COLUMN submission_id TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN delay_told_at INTEGER;

CREATE INDEX messages_submission ON messages (submission_id) WHERE submission_id <> '';
