-- Attempts that several servers count together.

CREATE TABLE limits (
  key_hash BLOB    NOT NULL PRIMARY KEY,       -- SHA-256 of what is limited: an address, a network
  times    BLOB    NOT NULL,                   -- of the attempts that count, 8 bytes each, oldest first
  until_at INTEGER NOT NULL                    -- nothing in times counts after this
) STRICT;

CREATE INDEX limits_until ON limits (until_at);
