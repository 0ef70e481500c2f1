// Behind the middleware, and rendered on the server by what the cookie says.
import { getServerSession } from "next-auth/next"
import { getToken } from "next-auth/jwt"
import { authOptions } from "../auth"

export async function getServerSideProps({ req, res }) {
  const token = await getToken({ req })
  const session = await getServerSession(req, res, authOptions)
  return { props: { server: session?.user?.email ?? "", sub: token?.sub ?? "" } }
}

export default function Members({ server, sub }) {
  return <main><h1>Members</h1><p id="server">{server}</p><p id="sub">{sub}</p></main>
}
