#!/bin/sh
# Makes the two Prisma clients beside the installed packages. The engine that
# changes schemas is not needed for it and cannot be fetched everywhere.
set -eu
export PRISMA_SCHEMA_ENGINE_BINARY=/bin/true CHECKPOINT_DISABLE=1
for engine in sqlite postgres; do
  node_modules/.bin/prisma generate --schema "$engine.prisma" >/dev/null
done
