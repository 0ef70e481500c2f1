-- What makes an account one's own: a username, several addresses, a password,
-- the browsers that are known, and a day on which it goes.

ALTER TABLE users ADD COLUMN username TEXT NOT NULL DEFAULT '';      -- as typed
ALTER TABLE users ADD COLUMN username_norm TEXT;                     -- as compared; NULL: none
ALTER TABLE users ADD COLUMN image TEXT NOT NULL DEFAULT '';         -- an address of a picture, from elsewhere
ALTER TABLE users ADD COLUMN theme TEXT NOT NULL DEFAULT '' CHECK (theme IN ('', 'light', 'dark'));
ALTER TABLE users ADD COLUMN time_zone TEXT NOT NULL DEFAULT '';     -- "Europe/Berlin"; '': UTC
ALTER TABLE users ADD COLUMN removal_at INTEGER;                     -- closed by its owner, erased then

CREATE UNIQUE INDEX users_username ON users (username_norm);
CREATE INDEX users_removal ON users (removal_at) WHERE removal_at IS NOT NULL;

-- Every address that leads to a user. The one in users.email is the primary and
-- stands here too, verified or not; every other is here because it was verified.
CREATE TABLE emails (
  norm        TEXT    NOT NULL PRIMARY KEY,   -- as compared
  email       TEXT    NOT NULL,               -- as typed
  user_id     TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  verified_at INTEGER,
  created_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX emails_user ON emails (user_id);

INSERT INTO emails (norm, email, user_id, verified_at, created_at)
SELECT email_norm, email, id, email_verified_at, created_at FROM users;

CREATE TABLE passwords (
  user_id    TEXT    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  hash       TEXT    NOT NULL,                -- "$argon2id$…", or "$2…" from elsewhere until it is next used
  changed_at INTEGER NOT NULL
) STRICT;

-- The browsers a user has signed in with: SHA-256 of a cookie that outlives
-- sessions.
CREATE TABLE browsers (
  user_id      TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  browser_hash BLOB    NOT NULL,
  created_at   INTEGER NOT NULL,
  seen_at      INTEGER NOT NULL,
  PRIMARY KEY (browser_hash, user_id)
) STRICT;

CREATE INDEX browsers_user ON browsers (user_id);
CREATE INDEX browsers_seen ON browsers (seen_at);

-- What the purpose of a challenge needs besides: an address as typed, a session.
ALTER TABLE challenges ADD COLUMN detail TEXT NOT NULL DEFAULT '';
