import { Who } from "../who"

export default function Home() {
  return <main><h1>Notes</h1><Who /></main>
}
