-- The D1 adapter.
CREATE TABLE "accounts" ("id" text NOT NULL, "userId" text NOT NULL DEFAULT NULL, "type" text NOT NULL DEFAULT NULL, "provider" text NOT NULL DEFAULT NULL, "providerAccountId" text NOT NULL DEFAULT NULL, "refresh_token" text DEFAULT NULL, "access_token" text DEFAULT NULL, "expires_at" number DEFAULT NULL, "token_type" text DEFAULT NULL, "scope" text DEFAULT NULL, "id_token" text DEFAULT NULL, "session_state" text DEFAULT NULL, "oauth_token_secret" text DEFAULT NULL, "oauth_token" text DEFAULT NULL, PRIMARY KEY (id));
CREATE TABLE "sessions" ("id" text NOT NULL, "sessionToken" text NOT NULL, "userId" text NOT NULL DEFAULT NULL, "expires" datetime NOT NULL DEFAULT NULL, PRIMARY KEY (sessionToken));
CREATE TABLE "users" ("id" text NOT NULL DEFAULT '', "name" text DEFAULT NULL, "email" text DEFAULT NULL, "emailVerified" datetime DEFAULT NULL, "image" text DEFAULT NULL, PRIMARY KEY (id));
CREATE TABLE "verification_tokens" ("identifier" text NOT NULL, "token" text NOT NULL DEFAULT NULL, "expires" datetime NOT NULL DEFAULT NULL, PRIMARY KEY (token));

INSERT INTO "users" VALUES ('1', 'Mara Okafor', 'Mara@Home.example', '2025-03-01T10:00:00.123Z', 'https://img.example/mara.png');
INSERT INTO "users" VALUES ('2', NULL, NULL, NULL, NULL);
INSERT INTO "users" VALUES ('3', 'Eva', 'eva@home.example', NULL, NULL);
INSERT INTO "accounts" VALUES ('a1', '1', 'oidc', 'google', '1000001', 'refresh-1', 'access-1', 1798000000, 'bearer', 'openid email', 'id-1', NULL, NULL, NULL);
INSERT INTO "accounts" VALUES ('a2', '2', 'oauth', 'github', '2000002', NULL, 'access-2', NULL, 'bearer', 'read:user', NULL, NULL, NULL, NULL);
INSERT INTO "sessions" VALUES ('s1', '7a4e596f-74d5-4e06-b419-1af3fc6cb901', '1', '2026-12-20T00:00:00.000Z');
INSERT INTO "sessions" VALUES ('s2', '7a4e596f-74d5-4e06-b419-1af3fc6cb902', '2', '2026-12-20 00:00:00');
INSERT INTO "sessions" VALUES ('s3', '7a4e596f-74d5-4e06-b419-1af3fc6cb903', '1', '2025-02-01T00:00:00.000Z');
INSERT INTO "verification_tokens" VALUES ('eva@home.example', '0f0f', '2026-12-20T00:00:00.000Z');
