-- Which admin did it, where one did. No foreign key: the log outlives them.

ALTER TABLE events ADD COLUMN admin_id TEXT NOT NULL DEFAULT '';
