-- Sessions that last no longer than the browser, on a computer others use too.

ALTER TABLE sessions ADD COLUMN brief INTEGER NOT NULL DEFAULT 0;
