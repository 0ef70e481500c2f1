-- Whether a browser has been signed in by anything but a mailed link. Only then does
-- it show whose the account is: a link to another address of the account may have been
-- forwarded. Browsers of accounts that have a proven and an unproven address start anew.

ALTER TABLE browsers ADD COLUMN owns INTEGER NOT NULL DEFAULT 0;

UPDATE browsers
   SET owns = 1
 WHERE user_id NOT IN (SELECT user_id FROM emails WHERE verified_at IS NULL)
    OR user_id NOT IN (SELECT user_id FROM emails WHERE verified_at IS NOT NULL);
