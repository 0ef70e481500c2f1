-- Upstream identities linked to users, the journeys to an upstream and back,
-- groups, and who may come: invites and people who wait for approval.

CREATE TABLE accounts (
  id               TEXT    NOT NULL PRIMARY KEY,
  user_id          TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  provider         TEXT    NOT NULL,             -- the upstream's id in the configuration
  subject          TEXT    NOT NULL,             -- what the upstream calls the person, for ever
  issuer           TEXT    NOT NULL DEFAULT '',  -- who vouched; '' when not known (imported)
  type             TEXT    NOT NULL CHECK (type IN ('oauth', 'oidc')),
  email            TEXT    NOT NULL DEFAULT '',  -- as the upstream last told; never compared
  name             TEXT    NOT NULL DEFAULT '',
  access_token     BLOB,                         -- sealed, as are the next two
  refresh_token    BLOB,
  id_token         BLOB,
  token_type       TEXT    NOT NULL DEFAULT '',
  scope            TEXT    NOT NULL DEFAULT '',
  session_state    TEXT    NOT NULL DEFAULT '',
  expires_at       INTEGER,                      -- of the access token; NULL: not told
  refreshing_until INTEGER NOT NULL DEFAULT 0,   -- somebody refreshes the tokens until then
  broken_at        INTEGER,                      -- the upstream refused the refresh token
  created_at       INTEGER NOT NULL,
  used_at          INTEGER                       -- last sign-in
) STRICT;

CREATE UNIQUE INDEX accounts_subject ON accounts (provider, subject);
CREATE INDEX accounts_user ON accounts (user_id);

-- Somebody who was sent to an upstream and is awaited back, once.
CREATE TABLE journeys (
  state_hash   BLOB    NOT NULL PRIMARY KEY,     -- SHA-256 of the state parameter
  provider     TEXT    NOT NULL,
  browser_hash BLOB    NOT NULL,                 -- of the login cookie that set out
  baggage      BLOB    NOT NULL,                 -- sealed: verifier, nonce, what it is for
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX journeys_expiry ON journeys (expires_at);

CREATE TABLE groups (
  id         TEXT    NOT NULL PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,            -- lower case, no spaces, no commas
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE group_members (
  group_id TEXT    NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  user_id  TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  since    INTEGER NOT NULL,
  PRIMARY KEY (group_id, user_id)
) STRICT;

CREATE INDEX group_members_user ON group_members (user_id, group_id);

CREATE TABLE invites (
  id         TEXT    NOT NULL PRIMARY KEY,
  token_hash BLOB    NOT NULL UNIQUE,            -- SHA-256 of the token in the link
  email      TEXT    NOT NULL DEFAULT '',        -- as typed; '' is an invite for whoever has the link
  email_norm TEXT    NOT NULL DEFAULT '',
  uses_left  INTEGER NOT NULL CHECK (uses_left >= 0),
  created_by TEXT    NOT NULL DEFAULT '',        -- the admin's user id; '' is the command line
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;

CREATE INDEX invites_expiry ON invites (expires_at);

CREATE TABLE invite_groups (
  invite_id TEXT NOT NULL REFERENCES invites (id) ON DELETE CASCADE,
  group_id  TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  PRIMARY KEY (invite_id, group_id)
) STRICT;

CREATE INDEX invite_groups_group ON invite_groups (group_id);

-- People who have proved their address and wait for an admin's word. They are
-- no users yet and own nothing.
CREATE TABLE applicants (
  id         TEXT    NOT NULL PRIMARY KEY,
  email      TEXT    NOT NULL,
  email_norm TEXT    NOT NULL UNIQUE,
  name       TEXT    NOT NULL DEFAULT '',
  language   TEXT    NOT NULL DEFAULT '',
  provider   TEXT    NOT NULL DEFAULT '',        -- the upstream identity they came with, if any
  subject    TEXT    NOT NULL DEFAULT '',
  issuer     TEXT    NOT NULL DEFAULT '',
  type       TEXT    NOT NULL DEFAULT '',
  ip         TEXT    NOT NULL,
  device     TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  refused_at INTEGER                             -- kept for a while, so that asking again tells nobody
) STRICT;

CREATE INDEX applicants_created ON applicants (created_at);
