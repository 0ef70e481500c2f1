// Behind the middleware, and rendered on the server by what the cookie says.
import { auth } from "../../auth"

export default async function Members() {
  const session = await auth()
  return <main><h1>Members</h1><p id="server">{session?.user?.email ?? ""}</p></main>
}
