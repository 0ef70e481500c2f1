// Makes the people of the fixtures by an adapter's own calls, and prints their
// ids, which are the adapter's choice.
const { open } = require("./adapter.cjs");

async function main(kind, url) {
  const [auth, close] = await open(kind, url);
  const mara = await auth.createUser({
    name: "Mara Okafor", email: "Mara@Home.example", emailVerified: new Date(1740823200123), image: "https://img.example/mara.png",
  });
  const other = await auth.createUser({ name: null, email: null, emailVerified: null, image: null });
  const eva = await auth.createUser({ name: "Eva", email: "eva@home.example", emailVerified: null, image: null });
  await auth.linkAccount({
    userId: mara.id, type: "oidc", provider: "google", providerAccountId: "1000001", refresh_token: "refresh-1",
    access_token: "access-1", expires_at: 1798000000, token_type: "bearer", scope: "openid email", id_token: "id-1",
  });
  await auth.linkAccount({
    userId: other.id, type: "oauth", provider: "github", providerAccountId: "2000002", access_token: "access-2",
    token_type: "bearer", scope: "read:user",
  });
  await auth.linkAccount({ userId: mara.id, type: "webauthn", provider: "passkey", providerAccountId: "AQIDBA==" });
  await auth.createAuthenticator({
    credentialID: "AQIDBA==", userId: mara.id, providerAccountId: "AQIDBA==", credentialPublicKey: "pQECAyYgASFYIA==", counter: 7,
    credentialDeviceType: "multiDevice", credentialBackedUp: true, transports: "internal,hybrid",
  });
  const tokens = [[mara, "1", "2026-12-20"], [other, "2", "2026-12-20"], [mara, "3", "2025-02-01"]];
  for (const [user, last, day] of tokens) {
    await auth.createSession({ sessionToken: "7a4e596f-74d5-4e06-b419-1af3fc6cb90" + last, userId: user.id, expires: new Date(day) });
  }
  await auth.createVerificationToken({ identifier: "eva@home.example", token: "0f0f", expires: new Date("2026-12-20") });
  console.log(JSON.stringify([mara.id, other.id, eva.id]));
  await close();
}

main(...process.argv.slice(2));
