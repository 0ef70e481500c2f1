import { Session } from "./session"

export const metadata = { title: "Notes", icons: { icon: "data:," } }

export default function Layout({ children }) {
  return <html lang="en"><body><Session>{children}</Session></body></html>
}
