-- How often servers refused us as the sender of a message, which is believed when
-- it comes again and again, whatever else happened to it in between.

ALTER TABLE messages ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;

-- For those who run the house: what was refused lately, and what they hold back.
CREATE INDEX messages_refused ON messages (created_at) WHERE refusals > 0;
CREATE INDEX messages_held ON messages (not_after) WHERE state = 'held';
