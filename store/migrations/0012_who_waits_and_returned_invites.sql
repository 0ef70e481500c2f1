-- Who waits: the address that an upstream told and nobody has confirmed, and since
-- when admins know. Invites: the mail that carries one, to say that it came back.

ALTER TABLE applicants ADD COLUMN claimed TEXT NOT NULL DEFAULT '';
ALTER TABLE applicants ADD COLUMN told_at INTEGER;                    -- NULL: no admin was mailed
ALTER TABLE invites ADD COLUMN message_id TEXT NOT NULL DEFAULT '';   -- no foreign key: the mail goes first
