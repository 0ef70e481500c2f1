// The adapters of Auth.js, each over a database that has its tables.

// server reads the name of a PostgreSQL database on a local socket.
function server(url) {
  const { pathname, username, searchParams } = new URL(url.replace("@/", "@localhost/"));
  return [{ host: searchParams.get("host"), user: username, database: pathname.slice(1) }, searchParams.get("search_path")];
}

const open = {
  async "prisma sqlite"(url) {
    const { PrismaLibSql } = require("@prisma/adapter-libsql");
    const { PrismaClient } = require(process.cwd() + "/client-sqlite");
    const client = new PrismaClient({ adapter: new PrismaLibSql({ url }) });
    return [require("@auth/prisma-adapter").PrismaAdapter(client), () => client.$disconnect()];
  },
  async "prisma postgres"(url) {
    const { PrismaPg } = require("@prisma/adapter-pg");
    const { PrismaClient } = require(process.cwd() + "/client-postgres");
    const [target, schema] = server(url);
    const client = new PrismaClient({ adapter: new PrismaPg(target, { schema }) });
    return [require("@auth/prisma-adapter").PrismaAdapter(client), () => client.$disconnect()];
  },
  async "drizzle sqlite"(url) {
    const client = require("@libsql/client").createClient({ url });
    const db = require("drizzle-orm/libsql").drizzle(client);
    return [require("@auth/drizzle-adapter").DrizzleAdapter(db), () => client.close()];
  },
  async "drizzle postgres"(url) {
    const [target, schema] = server(url);
    const client = new (require("pg").Client)({ ...target, options: "-c search_path=" + schema });
    await client.connect();
    const db = require("drizzle-orm/node-postgres").drizzle(client);
    return [require("@auth/drizzle-adapter").DrizzleAdapter(db), () => client.end()];
  },
};

exports.open = (kind, url) => open[kind](url);
