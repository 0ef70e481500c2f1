import NextAuth from "next-auth"

export const { auth } = NextAuth({
  providers: [],
  trustHost: true,
  session: { strategy: "jwt" },
  callbacks: { authorized: ({ auth }) => !!auth },
})
