// Two OpenID providers, for the tests of signing in by one. node provider.mjs prints
// the address of each as JSON, and serves until its input ends.
import http from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const modules = createRequire(process.argv[2] + "/");
const load = async (name) => import(pathToFileURL(modules.resolve(name)));
const { default: Provider } = await load("oidc-provider");
const { OAuth2Server } = await load("oauth2-mock-server");

const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));
const back = /^http:\/\/localhost:\d+\/api\/auth\/callback\/school$/;

const page = (body) => `<!doctype html><html lang="en"><title>School</title><link rel="icon" href="data:,"><h1>The school</h1>${body}</html>`;
const server = http.createServer();
const issuer = `http://127.0.0.1:${await listen(server)}`;
const provider = new Provider(issuer, {
  clients: [{
    client_id: "gatelodge", client_secret: "a-secret-of-the-school-0123456789", redirect_uris: ["http://localhost/api/auth/callback/school"],
    grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
  }],
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  cookies: { keys: ["only for tests"] },
  // Its own page loads fonts from elsewhere.
  renderError(ctx, out) {
    ctx.type = "html";
    ctx.body = page(`<p>${out.error}: ${out.error_description}</p>`);
  },
  pkce: { required: () => true },
  ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600, RefreshToken: 600 },
  async findAccount(_, id) {
    return { accountId: id, claims: async () => ({ sub: id, email: `${id}@school.example`, email_verified: true, name: id[0].toUpperCase() + id.slice(1) }) };
  },
});
// The port of the one who signs in is not known before it has started.
provider.Client.prototype.redirectUriAllowed = (uri) => back.test(uri);

const answer = provider.callback();
server.on("request", async (req, res) => {
  if (!req.url.startsWith("/interaction/")) return answer(req, res);
  try {
    const { prompt, params, session } = await provider.interactionDetails(req, res);
    if (req.method === "GET") {
      res.setHeader("content-type", "text/html; charset=utf-8");
      return res.end(page(prompt.name === "login"
        ? `<form method="post"><label for="who">Who are you?</label><input id="who" name="who"><button>Sign in at the school</button><button name="cancel" value="1">Cancel</button></form>`
        : `<form method="post"><button>Let it know me</button><button name="cancel" value="1">Cancel</button></form>`));
    }
    let text = "";
    for await (const part of req) text += part;
    const form = new URLSearchParams(text);
    if (form.get("cancel")) {
      return await provider.interactionFinished(req, res, { error: "access_denied", error_description: "cancelled" }, { mergeWithLastSubmission: false });
    }
    if (prompt.name === "login") {
      return await provider.interactionFinished(req, res, { login: { accountId: form.get("who") } }, { mergeWithLastSubmission: false });
    }
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    return await provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
  } catch (err) {
    res.statusCode = 500;
    res.end(String(err));
  }
});

// The other one is an attacker's: it sends browsers on to the school, to be taken for
// it there.
const mock = new OAuth2Server();
await mock.issuer.keys.generate("RS256");
await mock.start(0, "127.0.0.1");
let mixed = "";
mock.service.on("beforeAuthorizeRedirect", (redirect, req) => {
  if (!mixed) return;
  const asked = new URL(req.url, mock.issuer.url).searchParams;
  const to = new URL(`${issuer}/auth`);
  for (const [name, value] of asked) to.searchParams.set(name, value);
  to.searchParams.set("client_id", "gatelodge");
  to.searchParams.set("redirect_uri", asked.get("redirect_uri").replace(/[^/]+$/, mixed));
  redirect.url.href = to.href;
});
mock.service.on("beforeTokenSigning", (token) => {
  Object.assign(token.payload, { email: "mara@school.example", email_verified: true, name: "Mara" });
});

process.stdin.on("data", (line) => { mixed = String(line).trim(); console.log(JSON.stringify({ mixed })); });
process.stdin.on("end", () => process.exit(0));
console.log(JSON.stringify({ school: issuer, other: mock.issuer.url }));
