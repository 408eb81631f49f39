"""Many tenants with nothing to do: `surefoot fleet up --targets tenants:` looks at all in one look.

Each schema is a copy of one that `surefoot up --tenant` has brought to head. Its mark is written
as surefoot writes it, with the schema's own seal, since a run for each would take hours. Then the
structure of one schema is changed: all others must be found at head in the look, and it in a run.

    python bench/tenants.py [--schemas 10000]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from surefoot.postgres.embedded import Server, embedded_bin  # noqa: E402
from surefoot.sql import query  # noqa: E402
from tests.support.project import Application  # noqa: E402
from tests.support.tenants import STATEMENTS, with_history  # noqa: E402

FIRST = "customer_0"
_IN_ONE = 50  # schemas in a transaction: each table takes a lock

_MARKS = """
insert into surefoot.journal
    (run, history, env, step, name, parents, direction, evidence, milliseconds, host, surefoot)
select m.run, s.schema || '.alembic_version', m.env, m.step, m.name, m.parents, m.direction,
       jsonb_set(
           jsonb_set(m.evidence::jsonb, '{{transaction}}',
               to_jsonb((pg_current_xact_id()::text::int8 & 4294967295)::text)),
           '{{database,seal}}', to_jsonb(s.seal))::text,
       0, m.host, m.surefoot
from ({seals}) s
cross join lateral (
    select j.* from surefoot.journal j
    where j.history = '{first}.alembic_version' and j.step = 'reached' order by j.id desc limit 1
) m
where s.schema ~ '^customer_' and s.schema <> '{first}'
"""


def run(application: Application, url: str, *arguments: str) -> tuple[list[str], float, int]:
    """What it printed, the seconds that it took, and its exit code."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "surefoot", *arguments],
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stderr[-400:], file=sys.stderr)
    return done.stdout.splitlines(), time.monotonic() - begun, done.returncode


def fill(connection: psycopg.Connection, schemas: int) -> None:
    """Make the other schemas, all at head."""
    made = [statement for statements, _ in STATEMENTS.values() for statement in statements]
    for start in range(1, schemas, _IN_ONE):
        text = ["begin"]
        for n in range(start, min(start + _IN_ONE, schemas)):
            text += [f"create schema customer_{n}", f"set local search_path to customer_{n}", *made]
            text += [
                "create table alembic_version (version_num varchar(32) not null"
                " constraint alembic_version_pkc primary key)",
                "insert into alembic_version values ('t5')",
            ]
        connection.execute(";".join((*text, "commit")).encode())
    seals = query("seals").replace("%(only)s", "null")
    connection.execute(_MARKS.format(seals=seals, first=FIRST).encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--schemas", type=int, default=10_000)
    schemas: int = parser.parse_args().schemas
    settings = {"fsync": "off", "max_locks_per_transaction": "256"}
    with tempfile.TemporaryDirectory() as root, Server(embedded_bin(), settings=settings) as server:
        application = with_history(Application(Path(root)))
        application.config(
            '[tenants]\nschemas = "sql:select nspname::text from pg_namespace where nspname ~'
            ' \'^customer_\' order by oid"\nsearch_path = "{}"\n'
        )
        url = server.url()
        for command in (
            ("catalog", "build", "--no-stepwise", "--server", url),
            ("up", "--tenant", FIRST),
        ):
            _, _, code = run(application, url, *command)
            assert code == 0, command
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute("set search_path to pg_catalog")
            fill(connection, schemas)
        lines, took, code = run(application, url, "fleet", "up", "--targets", "tenants:")
        counts = json.loads(lines[-1])["counts"]
        print(f"{schemas} schemas with nothing to do: {took:.1f} s; {counts}")
        assert code == 0
        assert counts == [{"result": "ready", "databases": schemas}]
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute("alter table customer_1.people add nickname text")
        lines, took, code = run(application, url, "fleet", "status", "--targets", "tenants:")
        last = json.loads(lines[-1])
        print(f"one of them changed: {took:.1f} s, with its own run; {last['counts']}")


if __name__ == "__main__":
    main()
