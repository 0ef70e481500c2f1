-- Whether an admin added the user: their word that the address is the user's. It was
-- asked of the audit log before, from which old lines are removed. A user who was
-- imported was not added by an admin, whoever had that id before.

ALTER TABLE users ADD COLUMN added_by_admin INTEGER NOT NULL DEFAULT 0 CHECK (added_by_admin IN (0, 1));

UPDATE users
   SET added_by_admin = 1
 WHERE id IN (SELECT user_id FROM events WHERE kind = 'user.added')
   AND id NOT IN (SELECT user_id FROM events WHERE kind = 'user.imported');
