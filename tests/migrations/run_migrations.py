"""What many an image runs before its application: it looks a little, and guesses the rest.

No part of surefoot. test_scenarios.py shows what becomes of a database with it.
"""

import subprocess
import sys

import psycopg


def alembic(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "alembic", *words], check=True)


def count(what: str, where: str) -> int:
    query = f"select count(*) from information_schema.{what} where table_schema = 'public'"
    with psycopg.connect("") as database:  # PGHOST, PGUSER, …
        row = database.execute(f"{query} and {where}".encode()).fetchone()
    return row[0] if row else 0


if count("tables", "true") == 0:
    subprocess.run(["psql", "-q", "-f", "sql/00_init.sql"], check=True)
    alembic("stamp", "20251011_baseline_v106")
elif count("tables", "table_name = 'alembic_version'") == 0:
    emoji = count("columns", "table_name = 'characters' and column_name like 'emoji%'")
    alembic("stamp", "head" if emoji else "20251011_baseline_v106")
alembic("upgrade", "head")
