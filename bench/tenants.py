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
from fleet import of_children

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


def run(application: Application, url: str, *arguments: str) -> tuple[list[str], float, float, int]:
    """What it printed, the seconds that it took, those of its CPU, and its exit code."""
    begun, used = time.monotonic(), of_children()
    done = subprocess.run(
        [sys.executable, "-m", "surefoot", *arguments],
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stderr[-400:], file=sys.stderr)
    took, cpu = time.monotonic() - begun, of_children() - used
    return done.stdout.splitlines(), took, cpu, done.returncode


def of_server(data: Path) -> float:
    """The CPU seconds of the server and of its ended sessions."""
    postmaster = data.joinpath("postmaster.pid").read_text().split()[0]
    fields = Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def fill(conninfo: str, schemas: int) -> None:
    """Make the other schemas, all at head. In sessions that end soon: what a session has planned,
    it looks through again at each CREATE.
    """
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
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(";".join((*text, "commit")).encode())
    seals = query("seals").replace("%(only)s", "null")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("set search_path to pg_catalog")
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
            *_, code = run(application, url, *command)
            assert code == 0, command
        fill(server.conninfo(), schemas)
        with psycopg.connect(server.conninfo()) as connection:
            (directory,) = connection.execute("show data_directory").fetchone() or ("",)
        before = of_server(Path(directory))
        lines, took, cpu, code = run(application, url, "fleet", "up", "--targets", "tenants:")
        time.sleep(0.3)  # until the server has reaped its last session
        served = of_server(Path(directory)) - before
        counts = json.loads(lines[-1])["counts"]
        print(f"{schemas} schemas with nothing to do: {took:.1f} s; {counts}")
        print(f"CPU: {cpu:.1f} s surefoot, {served:.1f} s the server", flush=True)
        assert code == 0
        assert counts == [{"result": "ready", "databases": schemas}]
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute("alter table customer_1.people add nickname text")
        lines, took, _, _ = run(application, url, "fleet", "status", "--targets", "tenants:")
        last = json.loads(lines[-1])
        print(f"one of them changed: {took:.1f} s, with its own run; {last['counts']}")


if __name__ == "__main__":
    main()
