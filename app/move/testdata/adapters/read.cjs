// Asks an adapter for what an app would, and prints what it says.
const { open } = require("./adapter.cjs");

async function main(kind, url) {
  const [auth, close] = await open(kind, url);
  const passkey = await auth.getAuthenticator("AQIDBA==");
  console.log(JSON.stringify({
    byEmail: await auth.getUserByEmail("Mara@Home.example"),
    byGoogle: await auth.getUserByAccount({ provider: "google", providerAccountId: "1000001" }),
    byGitHub: await auth.getUserByAccount({ provider: "github", providerAccountId: "2000002" }),
    byPasskey: await auth.getUserByAccount({ provider: "passkey", providerAccountId: "AQIDBA==" }),
    passkey,
    passkeys: await auth.listAuthenticatorsByUserId(passkey.userId),
    session: await auth.getSessionAndUser("7a4e596f-74d5-4e06-b419-1af3fc6cb901"),
  }));
  await close();
}

main(...process.argv.slice(2));
