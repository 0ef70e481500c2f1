-- Attempts that several servers count together.

CREATE TABLE limits (
  key_hash BLOB    NOT NULL PRIMARY KEY,       -- SHA-256 of what is limited: an address, a network
  times    TEXT    NOT NULL,                   -- of the attempts that count, oldest first, in milliseconds
  until_at INTEGER NOT NULL                    -- nothing in times counts after this
) STRICT;

CREATE INDEX limits_until ON limits (until_at);
