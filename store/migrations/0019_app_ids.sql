-- The key of an App is its id. Until now it was the name, which this marks: only the
-- configuration knows both. A server turns marked keys into ids when it starts.

UPDATE app_sessions SET app = 'name:' || app;
UPDATE handoffs SET app = 'name:' || app;
UPDATE challenges SET purpose = 'signin@name:' || substr(purpose, 8) WHERE substr(purpose, 1, 7) = 'signin@';

CREATE INDEX app_sessions_named ON app_sessions (app) WHERE substr(app, 1, 5) = 'name:';
CREATE INDEX challenges_named ON challenges (purpose) WHERE substr(purpose, 1, 12) = 'signin@name:';
