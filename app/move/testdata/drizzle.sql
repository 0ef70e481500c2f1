-- The Drizzle adapter on SQLite: integer milliseconds.
CREATE TABLE user (id text PRIMARY KEY NOT NULL, name text, email text, emailVerified integer, image text);
CREATE UNIQUE INDEX user_email_unique ON user (email);
CREATE TABLE account (userId text NOT NULL, type text NOT NULL, provider text NOT NULL, providerAccountId text NOT NULL, refresh_token text, access_token text, expires_at integer, token_type text, scope text, id_token text, session_state text, PRIMARY KEY (provider, providerAccountId));
CREATE TABLE session (sessionToken text PRIMARY KEY NOT NULL, userId text NOT NULL, expires integer NOT NULL);
CREATE TABLE verificationToken (identifier text NOT NULL, token text NOT NULL, expires integer NOT NULL, PRIMARY KEY (identifier, token));
CREATE TABLE authenticator (credentialID text NOT NULL UNIQUE, userId text NOT NULL, providerAccountId text NOT NULL, credentialPublicKey text NOT NULL, counter integer NOT NULL, credentialDeviceType text NOT NULL, credentialBackedUp integer NOT NULL, transports text, PRIMARY KEY (userId, credentialID));

INSERT INTO user VALUES ('1', 'Mara Okafor', 'Mara@Home.example', 1740823200123, 'https://img.example/mara.png');
INSERT INTO user VALUES ('2', NULL, NULL, NULL, NULL);
INSERT INTO user VALUES ('3', 'Eva', 'eva@home.example', NULL, NULL);
INSERT INTO account VALUES ('1', 'oidc', 'google', '1000001', 'refresh-1', 'access-1', 1798000000, 'bearer', 'openid email', 'id-1', NULL);
INSERT INTO account VALUES ('2', 'oauth', 'github', '2000002', NULL, 'access-2', NULL, 'bearer', 'read:user', NULL, NULL);
INSERT INTO account VALUES ('1', 'webauthn', 'passkey', 'AQIDBA==', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO session VALUES ('7a4e596f-74d5-4e06-b419-1af3fc6cb901', '1', 1797724800000);
INSERT INTO session VALUES ('7a4e596f-74d5-4e06-b419-1af3fc6cb902', '2', 1797724800000);
INSERT INTO session VALUES ('7a4e596f-74d5-4e06-b419-1af3fc6cb903', '1', 1738368000000);
INSERT INTO verificationToken VALUES ('eva@home.example', '0f0f', 1797724800000);
INSERT INTO authenticator VALUES ('AQIDBA==', '1', 'AQIDBA==', 'pQECAyYgASFYIA==', 7, 'multiDevice', 1, 'internal,hybrid');
