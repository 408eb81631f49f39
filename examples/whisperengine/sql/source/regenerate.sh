#!/bin/sh
# Makes sql/00_init.sql from the files beside this script.
#
#   PGHOST=localhost PGUSER=postgres sql/source/regenerate.sh
#
# It creates a scratch database on the server that the PG* variables point at, loads
# 01_*.sql to 08_*.sql, dumps the structure, appends 90_first_character.sql and drops
# the scratch database again.
#
# Use the pg_dump of PostgreSQL 15: what it writes loads on 13 to 18. A pg_dump from 17 on
# writes "SET transaction_timeout", which older servers don't know.
#
# 00_init.sql stands for revision 20251011_baseline_v106 (v1.0.6). Once that release is out,
# a change of the structure is a new revision in alembic/versions, not an edit here.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target="$here/../00_init.sql"
scratch="whisperengine_scratch_$$"
draft="$target.new"

createdb --template=template0 "$scratch"
trap 'dropdb --if-exists "$scratch"; rm -f "$draft"' EXIT

for file in "$here"/0[1-8]_*.sql; do
    psql --no-psqlrc --quiet --single-transaction --set=ON_ERROR_STOP=1 --dbname="$scratch" --file="$file"
done

pg_dump --schema-only --no-owner --no-privileges --dbname="$scratch" > "$draft"
cat "$here/90_first_character.sql" >> "$draft"
mv "$draft" "$target"

printf '%s: %s tables\n' "$(basename "$target")" "$(grep -c '^CREATE TABLE' "$target")"
