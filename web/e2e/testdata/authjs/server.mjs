// What an app's own server reads of a browser's cookie, by the unmodified
// packages. Bundled by the test; node server.js VERSION SECRET COOKIE answers as
// JSON.
const [, , version, secret, cookie] = process.argv
const salt = version === "v4" ? "next-auth.session-token" : "authjs.session-token"
const value = cookie.split("; ").find((c) => c.startsWith(salt + "="))?.slice(salt.length + 1) ?? ""
process.env.NEXTAUTH_URL = process.env.AUTH_URL = "http://localhost:3000"
process.env.NEXTAUTH_SECRET = process.env.AUTH_SECRET = secret

async function main() {
const url = "http://localhost:3000/members?x=1"
const out = {}
if (version === "v4") {
  const { getToken, decode } = await import("next-auth-v4/jwt")
  const { withAuth } = await import("next-auth-v4/middleware")
  const { NextRequest } = await import("next/server")
  const request = (headers) => new NextRequest(url, { headers })
  out.token = await getToken({ req: request({ cookie }), secret })
  out.bearer = await getToken({ req: request({ authorization: "Bearer " + encodeURIComponent(value) }), secret })
  out.decoded = await decode({ token: value, secret })
  const answer = async (headers) => {
    const res = await withAuth(request(headers), { secret })
    return res ? { status: res.status, location: res.headers.get("location") } : { status: 200 }
  }
  out.inside = await answer({ cookie })
  out.outside = await answer({})
} else {
  const { getToken, decode } = await import("next-auth-v5/jwt")
  out.token = await getToken({ req: { headers: new Headers({ cookie }) }, secret, salt })
  out.bearer = await getToken({ req: { headers: new Headers({ authorization: "Bearer " + encodeURIComponent(value) }) }, secret, salt })
  out.decoded = await decode({ token: value, secret, salt })
  const { default: NextAuth } = await import("next-auth-v5")
  const { NextRequest } = await import("next/server")
  const { auth } = NextAuth({
    secret, trustHost: true, providers: [], session: { strategy: "jwt" },
    callbacks: { authorized: ({ auth }) => !!auth, session: ({ session, token }) => ({ ...session, sid: token.sid }) },
  })
  const answer = async (headers) => {
    const res = await auth(new NextRequest(url, { headers }), {})
    return { status: res.status, location: res.headers.get("location"), cookies: res.headers.getSetCookie() }
  }
  out.inside = await answer({ cookie })
  out.outside = await answer({})
}
console.log(JSON.stringify(out))
}

main()
