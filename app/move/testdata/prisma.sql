-- The Prisma adapter on SQLite: times as ISO texts, some still as the
-- milliseconds of an older Prisma.
CREATE TABLE "User" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT, "email" TEXT, "emailVerified" DATETIME, "image" TEXT, "password" TEXT, "role" TEXT, "createdAt" DATETIME NOT NULL, "updatedAt" DATETIME NOT NULL);
CREATE UNIQUE INDEX "User_email_key" ON "User" ("email");
CREATE TABLE "Account" ("userId" TEXT NOT NULL, "type" TEXT NOT NULL, "provider" TEXT NOT NULL, "providerAccountId" TEXT NOT NULL, "refresh_token" TEXT, "access_token" TEXT, "expires_at" INTEGER, "token_type" TEXT, "scope" TEXT, "id_token" TEXT, "session_state" TEXT, "createdAt" DATETIME NOT NULL, "updatedAt" DATETIME NOT NULL, PRIMARY KEY ("provider", "providerAccountId"));
CREATE TABLE "Session" ("sessionToken" TEXT NOT NULL, "userId" TEXT NOT NULL, "expires" DATETIME NOT NULL, "createdAt" DATETIME NOT NULL, "updatedAt" DATETIME NOT NULL);
CREATE UNIQUE INDEX "Session_sessionToken_key" ON "Session" ("sessionToken");
CREATE TABLE "VerificationToken" ("identifier" TEXT NOT NULL, "token" TEXT NOT NULL, "expires" DATETIME NOT NULL, PRIMARY KEY ("identifier", "token"));
CREATE TABLE "Authenticator" ("credentialID" TEXT NOT NULL, "userId" TEXT NOT NULL, "providerAccountId" TEXT NOT NULL, "credentialPublicKey" TEXT NOT NULL, "counter" INTEGER NOT NULL, "credentialDeviceType" TEXT NOT NULL, "credentialBackedUp" BOOLEAN NOT NULL, "transports" TEXT, PRIMARY KEY ("userId", "credentialID"));
CREATE TABLE "_prisma_migrations" ("id" TEXT NOT NULL PRIMARY KEY, "checksum" TEXT NOT NULL);
CREATE TABLE "Post" ("id" TEXT NOT NULL PRIMARY KEY, "userId" TEXT NOT NULL, "title" TEXT);

INSERT INTO "User" VALUES ('1', 'Mara Okafor', 'Mara@Home.example', '2025-03-01T10:00:00.123+00:00', 'https://img.example/mara.png', '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy', 'admin', '2025-02-01T00:00:00.000+00:00', '2025-02-01T00:00:00.000+00:00');
INSERT INTO "User" VALUES ('2', NULL, NULL, NULL, NULL, NULL, 'user', 1738368000000, 1738368000000);
INSERT INTO "User" VALUES ('3', 'Eva', 'eva@home.example', NULL, NULL, NULL, 'user', 1738368000000, 1738368000000);
INSERT INTO "Account" VALUES ('1', 'oidc', 'google', '1000001', 'refresh-1', 'access-1', 1798000000, 'bearer', 'openid email', 'id-1', NULL, '2025-02-01T00:00:00.000+00:00', '2025-02-01T00:00:00.000+00:00');
INSERT INTO "Account" VALUES ('2', 'oauth', 'github', '2000002', NULL, 'access-2', NULL, 'bearer', 'read:user', NULL, NULL, 1738368000000, 1738368000000);
INSERT INTO "Account" VALUES ('1', 'webauthn', 'passkey', 'AQIDBA==', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1738368000000, 1738368000000);
INSERT INTO "Session" VALUES ('7a4e596f-74d5-4e06-b419-1af3fc6cb901', '1', '2026-12-20T00:00:00.000+00:00', '2025-02-01T00:00:00.000+00:00', '2025-02-01T00:00:00.000+00:00');
INSERT INTO "Session" VALUES ('7a4e596f-74d5-4e06-b419-1af3fc6cb902', '2', 1797724800000, 1738368000000, 1738368000000);
INSERT INTO "Session" VALUES ('7a4e596f-74d5-4e06-b419-1af3fc6cb903', '1', 1738368000000, 1738368000000, 1738368000000);
INSERT INTO "VerificationToken" VALUES ('eva@home.example', '0f0f', '2026-12-20T00:00:00.000+00:00');
INSERT INTO "Authenticator" VALUES ('AQIDBA==', '1', 'AQIDBA==', 'pQECAyYgASFYIA==', 7, 'multiDevice', 1, 'internal,hybrid');
