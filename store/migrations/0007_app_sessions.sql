-- What an App holds of a session, and how it comes to an App's own address.

CREATE TABLE app_sessions (
  token_hash BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of the token that only this App has
  app        TEXT    NOT NULL,             -- its name in the configuration
  session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX app_sessions_session ON app_sessions (session_id, app);

CREATE TABLE handoffs (
  code_hash    BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of the code in the redirect
  app          TEXT    NOT NULL,
  session_id   TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  browser_hash BLOB    NOT NULL,             -- of what this browser holds at the App's address
  expires_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX handoffs_session ON handoffs (session_id);
CREATE INDEX handoffs_expiry ON handoffs (expires_at);
