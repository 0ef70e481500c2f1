// What every page of the tests shows of the session, and what they call.
"use client"
import { useEffect } from "react"
import * as auth from "next-auth/react"

export function Who() {
  const { data, status, update } = auth.useSession()
  useEffect(() => {
    window.auth = auth
    window.update = update
  }, [update])
  return (
    <>
      <p id="status">{status}</p>
      <p id="email">{data?.user?.email ?? ""}</p>
      <p id="name">{data?.user?.name ?? ""}</p>
    </>
  )
}

export function Required() {
  const { status } = auth.useSession({ required: true })
  return <p id="required">{status}</p>
}
