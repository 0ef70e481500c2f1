-- Passkeys: the public halves of keys that people's devices hold.

CREATE TABLE passkeys (
  credential_id BLOB    NOT NULL PRIMARY KEY,  -- the authenticator's name for it
  user_id       TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  public_key    BLOB    NOT NULL,              -- COSE
  sign_count    INTEGER NOT NULL,
  transports    TEXT    NOT NULL DEFAULT '',   -- space-separated: "internal hybrid"
  aaguid        TEXT    NOT NULL DEFAULT '',   -- the model of the authenticator, when told
  multi_device  INTEGER NOT NULL CHECK (multi_device IN (0, 1)), -- may be synced
  backed_up     INTEGER NOT NULL CHECK (backed_up IN (0, 1)),    -- is synced
  name          TEXT    NOT NULL DEFAULT '',   -- as its owner calls it
  created_at    INTEGER NOT NULL,
  used_at       INTEGER                        -- last sign-in; NULL: never here
) STRICT;

CREATE INDEX passkeys_user ON passkeys (user_id);
