-- Tables and columns renamed, as apps with a style of their own have
-- them, beside tables that look alike.
CREATE TABLE app_members (id text PRIMARY KEY, name text, email text, email_verified integer, image text, password_hash text);
CREATE TABLE app_leads (id text PRIMARY KEY, email text, email_verified integer);
CREATE TABLE app_account (user_id text NOT NULL, type text NOT NULL, provider text NOT NULL, provider_account_id text NOT NULL, refresh_token text, access_token text, expires_at integer, token_type text, scope text, id_token text, session_state text);
CREATE TABLE app_session (session_token text PRIMARY KEY, user_id text NOT NULL, expires integer NOT NULL);

INSERT INTO app_members VALUES ('1', 'Mara Okafor', 'Mara@Home.example', 1740823200, 'https://img.example/mara.png', '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy');
INSERT INTO app_members VALUES ('2', NULL, NULL, NULL, NULL, NULL);
INSERT INTO app_members VALUES ('3', 'Eva', 'eva@home.example', NULL, NULL, NULL);
INSERT INTO app_leads VALUES ('9', 'lead@else.example', NULL);
INSERT INTO app_account VALUES ('1', 'oidc', 'google', '1000001', 'refresh-1', 'access-1', 1798000000, 'bearer', 'openid email', 'id-1', NULL);
INSERT INTO app_account VALUES ('2', 'oauth', 'github', '2000002', NULL, 'access-2', NULL, 'bearer', 'read:user', NULL, NULL);
INSERT INTO app_session VALUES ('7a4e596f-74d5-4e06-b419-1af3fc6cb901', '1', 1797724800);
INSERT INTO app_session VALUES ('7a4e596f-74d5-4e06-b419-1af3fc6cb902', '2', 1797724800);
INSERT INTO app_session VALUES ('7a4e596f-74d5-4e06-b419-1af3fc6cb903', '1', 1738368000);
