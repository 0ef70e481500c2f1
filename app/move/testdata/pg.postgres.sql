-- The pg adapter: integer ids, times with a zone.
CREATE TABLE verification_token (identifier TEXT NOT NULL, expires TIMESTAMPTZ NOT NULL, token TEXT NOT NULL, PRIMARY KEY (identifier, token));
CREATE TABLE accounts (id SERIAL, "userId" INTEGER NOT NULL, type VARCHAR(255) NOT NULL, provider VARCHAR(255) NOT NULL, "providerAccountId" VARCHAR(255) NOT NULL, refresh_token TEXT, access_token TEXT, expires_at BIGINT, id_token TEXT, scope TEXT, session_state TEXT, token_type TEXT, PRIMARY KEY (id));
CREATE TABLE sessions (id SERIAL, "userId" INTEGER NOT NULL, expires TIMESTAMPTZ NOT NULL, "sessionToken" VARCHAR(255) NOT NULL, PRIMARY KEY (id));
CREATE TABLE users (id SERIAL, name VARCHAR(255), email VARCHAR(255), "emailVerified" TIMESTAMPTZ, image TEXT, PRIMARY KEY (id));

INSERT INTO users (name, email, "emailVerified", image) VALUES ('Mara Okafor', 'Mara@Home.example', '2025-03-01T12:00:00.123+02:00', 'https://img.example/mara.png'), (NULL, NULL, NULL, NULL), ('Eva', 'eva@home.example', NULL, NULL);
INSERT INTO accounts ("userId", type, provider, "providerAccountId", refresh_token, access_token, expires_at, token_type, scope, id_token) VALUES (1, 'oidc', 'google', '1000001', 'refresh-1', 'access-1', 1798000000, 'bearer', 'openid email', 'id-1'), (2, 'oauth', 'github', '2000002', NULL, 'access-2', NULL, 'bearer', 'read:user', NULL);
INSERT INTO sessions ("userId", expires, "sessionToken") VALUES (1, '2026-12-20T00:00:00Z', '7a4e596f-74d5-4e06-b419-1af3fc6cb901'), (2, '2026-12-20T00:00:00Z', '7a4e596f-74d5-4e06-b419-1af3fc6cb902'), (1, '2025-02-01T00:00:00Z', '7a4e596f-74d5-4e06-b419-1af3fc6cb903');
INSERT INTO verification_token VALUES ('eva@home.example', '2026-12-20T00:00:00Z', '0f0f');
