-- Requests to sign in at a provider get their usual name, and outcomes of sign-ins,
-- which were kept among them, a table of their own. Requests that are under way are
-- dropped: they last ten minutes, and people can begin again.

DROP TABLE journeys;

CREATE TABLE auth_requests (
  state_hash   BLOB    NOT NULL PRIMARY KEY,     -- SHA-256 of the state parameter
  provider     TEXT    NOT NULL,
  browser_hash BLOB    NOT NULL,                 -- of the browser that made the request
  payload      BLOB    NOT NULL,                 -- sealed: verifier, nonce, purpose
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX auth_requests_expiry ON auth_requests (expires_at);

-- The result of a sign-in, for a form that is sent twice.
CREATE TABLE login_outcomes (
  use_hash   BLOB    NOT NULL PRIMARY KEY,       -- of the browser's token and the secret that was spent
  outcome    BLOB    NOT NULL,                   -- sealed with a key that only the browser has
  expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX login_outcomes_expiry ON login_outcomes (expires_at);
