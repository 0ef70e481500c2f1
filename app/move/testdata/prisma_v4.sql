-- NextAuth v4 with Prisma: accounts with an id of their own, milliseconds, no
-- authenticators.
CREATE TABLE "User" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT, "email" TEXT, "emailVerified" DATETIME, "image" TEXT, "password" TEXT);
CREATE TABLE "Account" ("id" TEXT NOT NULL PRIMARY KEY, "userId" TEXT NOT NULL, "type" TEXT NOT NULL, "provider" TEXT NOT NULL, "providerAccountId" TEXT NOT NULL, "refresh_token" TEXT, "access_token" TEXT, "expires_at" INTEGER, "token_type" TEXT, "scope" TEXT, "id_token" TEXT, "session_state" TEXT);
CREATE TABLE "Session" ("id" TEXT NOT NULL PRIMARY KEY, "sessionToken" TEXT NOT NULL, "userId" TEXT NOT NULL, "expires" DATETIME NOT NULL);
CREATE TABLE "VerificationToken" ("identifier" TEXT NOT NULL, "token" TEXT NOT NULL, "expires" DATETIME NOT NULL);

INSERT INTO "User" VALUES ('1', 'Mara Okafor', 'Mara@Home.example', 1740823200123, 'https://img.example/mara.png', '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy');
INSERT INTO "User" VALUES ('2', NULL, NULL, NULL, NULL, NULL);
INSERT INTO "User" VALUES ('3', 'Eva', 'eva@home.example', NULL, NULL, '');
INSERT INTO "Account" VALUES ('a1', '1', 'oidc', 'google', '1000001', 'refresh-1', 'access-1', 1798000000, 'bearer', 'openid email', 'id-1', NULL);
INSERT INTO "Account" VALUES ('a2', '2', 'oauth', 'github', '2000002', NULL, 'access-2', NULL, 'bearer', 'read:user', NULL, NULL);
INSERT INTO "Session" VALUES ('s1', '7a4e596f-74d5-4e06-b419-1af3fc6cb901', '1', 1797724800000);
INSERT INTO "Session" VALUES ('s2', '7a4e596f-74d5-4e06-b419-1af3fc6cb902', '2', 1797724800000);
INSERT INTO "Session" VALUES ('s3', '7a4e596f-74d5-4e06-b419-1af3fc6cb903', '1', 1738368000000);
INSERT INTO "VerificationToken" VALUES ('eva@home.example', '0f0f', 1797724800000);
