-- The Drizzle adapter on PostgreSQL: quoted names, times without a zone that
-- mean UTC.
CREATE TABLE "user" (id text PRIMARY KEY NOT NULL, name text, email text UNIQUE, "emailVerified" timestamp, image text);
CREATE TABLE account ("userId" text NOT NULL, type text NOT NULL, provider text NOT NULL, "providerAccountId" text NOT NULL, refresh_token text, access_token text, expires_at integer, token_type text, scope text, id_token text, session_state text, PRIMARY KEY (provider, "providerAccountId"));
CREATE TABLE session ("sessionToken" text PRIMARY KEY NOT NULL, "userId" text NOT NULL, expires timestamp NOT NULL);
CREATE TABLE "verificationToken" (identifier text NOT NULL, token text NOT NULL, expires timestamp NOT NULL, PRIMARY KEY (identifier, token));
CREATE TABLE authenticator ("credentialID" text NOT NULL UNIQUE, "userId" text NOT NULL, "providerAccountId" text NOT NULL, "credentialPublicKey" text NOT NULL, counter integer NOT NULL, "credentialDeviceType" text NOT NULL, "credentialBackedUp" boolean NOT NULL, transports text, PRIMARY KEY ("userId", "credentialID"));
