// A page of an app that uses next-auth/react, as its documentation shows it.
// What the tests call stands in window.auth.
import React from "react"
import { createRoot } from "react-dom/client"
import * as auth from "next-auth/react"

function Who() {
  const { data, status, update } = auth.useSession()
  window.update = update
  return (
    <main>
      <h1>Notes</h1>
      <p id="status">{status}</p>
      <p id="email">{data?.user?.email ?? ""}</p>
      <p id="name">{data?.user?.name ?? ""}</p>
      <p id="id">{data?.user?.id ?? ""}</p>
      <p id="expires">{data?.expires ?? ""}</p>
    </main>
  )
}

function Members() {
  const { status } = auth.useSession({ required: true })
  return <p id="members">{status}</p>
}

window.auth = auth
const members = location.pathname === "/members"
createRoot(document.getElementById("root")).render(
  <auth.SessionProvider>{members ? <Members /> : <Who />}</auth.SessionProvider>,
)
