-- What a browser is called that a user has signed in with, so that they can tell it
-- from others: "Firefox on Linux". '': not known, or nobody's.

ALTER TABLE browsers ADD COLUMN device TEXT NOT NULL DEFAULT '';
