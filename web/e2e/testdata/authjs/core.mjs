// GET /auth/session as @auth/core answers it, with its sessions in SQLite, on
// nothing but node:http. Prints its address and the cookie of somebody signed in.
import { createServer } from "node:http"
import { randomUUID } from "node:crypto"
import { Auth } from "@auth/core"
import { DrizzleAdapter } from "@auth/drizzle-adapter"
import { createClient } from "@libsql/client"
import { drizzle } from "drizzle-orm/libsql"

const client = createClient({ url: "file:" + process.argv[2] })
await client.executeMultiple(`
  PRAGMA journal_mode = WAL;
  CREATE TABLE user (id text PRIMARY KEY, name text, email text UNIQUE, emailVerified integer, image text);
  CREATE TABLE session (sessionToken text PRIMARY KEY, userId text NOT NULL REFERENCES user(id) ON DELETE CASCADE, expires integer NOT NULL);
`)
const adapter = DrizzleAdapter(drizzle(client))
const user = await adapter.createUser({ name: "Mara Okafor", email: "mara@home.example", emailVerified: new Date() })
const session = await adapter.createSession({ sessionToken: randomUUID(), userId: user.id, expires: new Date(Date.now() + 30 * 86400e3) })
const config = { adapter, providers: [], secret: "0123456789abcdef0123456789abcdef", trustHost: true, basePath: "/auth", session: { strategy: "database" } }

const server = createServer(async (req, res) => {
  const answer = await Auth(new Request("http://127.0.0.1" + req.url, { headers: { cookie: req.headers.cookie ?? "" } }), config)
  const body = Buffer.from(await answer.arrayBuffer())
  for (const [name, value] of answer.headers) if (name !== "set-cookie") res.setHeader(name, value)
  res.setHeader("set-cookie", answer.headers.getSetCookie())
  res.writeHead(answer.status, { "content-length": body.length }).end(body)
})
server.listen(0, "127.0.0.1", () => console.log(`127.0.0.1:${server.address().port} authjs.session-token=${session.sessionToken}`))
