-- Challenges of more kinds than signing in.

ALTER TABLE challenges DROP CONSTRAINT challenges_purpose_check;
