-- Which user each imported id became. An id is unique only in the database it
-- comes from: two apps may both have a user 1.

CREATE TABLE imported_ids (
  source    TEXT NOT NULL, -- the database it comes from, without credentials
  source_id TEXT NOT NULL, -- the user's id there
  user_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  PRIMARY KEY (source, source_id)
) STRICT;

CREATE INDEX imported_ids_user ON imported_ids (user_id);
