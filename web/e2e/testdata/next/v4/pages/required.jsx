import { Required } from "../who"

export default function Page() {
  return <main><h1>Required</h1><Required /></main>
}
