-- What is known of the domains that mail goes to, addresses that refuse mail,
-- how well connections were protected, and the keys that sign our mail.

CREATE TABLE mail_domains (
  domain         TEXT    NOT NULL PRIMARY KEY,
  tls_seen_at    INTEGER,                    -- when it last spoke TLS: from then on it must
  sts_id         TEXT    NOT NULL DEFAULT '', -- of the MTA-STS policy below
  sts_policy     TEXT    NOT NULL DEFAULT '', -- as it was fetched
  sts_until      INTEGER NOT NULL DEFAULT 0,
  failures       INTEGER NOT NULL DEFAULT 0, -- in a row
  until          INTEGER NOT NULL DEFAULT 0, -- no attempt before, but
  probe_at       INTEGER NOT NULL DEFAULT 0, -- sign-in mail may try then
  reason         TEXT    NOT NULL DEFAULT '',
  updated_at     INTEGER NOT NULL
) STRICT;

CREATE INDEX mail_domains_until ON mail_domains (until);
CREATE INDEX mail_domains_updated ON mail_domains (updated_at);

CREATE TABLE suppressions (
  rcpt_hash  BLOB    NOT NULL PRIMARY KEY,   -- as in messages
  rcpt       BLOB    NOT NULL,               -- sealed
  domain     TEXT    NOT NULL,
  reason     TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  tried_at   INTEGER NOT NULL                -- a sign-in may try again a day later
) STRICT;

CREATE INDEX suppressions_expiry ON suppressions (expires_at);

CREATE TABLE tls_results (                   -- what a report by RFC 8460 is made of
  day    INTEGER NOT NULL,                   -- its first moment, UTC
  domain TEXT    NOT NULL,
  policy TEXT    NOT NULL,                   -- "no-policy-found", "sts" or "tlsa"
  mx     TEXT    NOT NULL,
  result TEXT    NOT NULL,                   -- "" went well, else RFC 8460, 4.3
  count  INTEGER NOT NULL,
  PRIMARY KEY (domain, day, policy, mx, result)
) STRICT;

CREATE INDEX tls_results_day ON tls_results (day);

CREATE TABLE dkim_keys (
  name        TEXT    NOT NULL PRIMARY KEY,  -- selector._domainkey.domain: where DNS has its public half
  selector    TEXT    NOT NULL,
  domain      TEXT    NOT NULL,
  algorithm   TEXT    NOT NULL CHECK (algorithm IN ('rsa', 'ed25519')),
  private_key BLOB    NOT NULL,              -- sealed PKCS #8
  created_at  INTEGER NOT NULL,
  signs_at    INTEGER,                       -- from when it signs; NULL: published only
  retired_at  INTEGER                        -- from when it signs no more
) STRICT;

CREATE INDEX dkim_keys_domain ON dkim_keys (domain, created_at);

-- The next message of a class that is due, past those of domains that wait.
CREATE INDEX messages_ready ON messages (class, due_at, domain) WHERE state IN ('queued', 'leased');
DROP INDEX messages_due;
