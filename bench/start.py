"""What a container pays at every start: `surefoot up` with nothing to do, and what it is held to.

All sides run in turn on one server, in processes of their own. Times on shared machines are noisy,
so the least time of each and the median of the pairwise ratios are printed, with the load.

- floor: Python, ctypes, libpq: connect, one query
- psycopg: import, connect, one query
- surefoot: the example application with its catalogue, journal and seed script, at head
- alembic: `alembic upgrade head` on the same database
- dbmate: `dbmate up` with one migration, which is applied (npm; left out where that can't be had)

    python bench/start.py [--runs 20]
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

import psycopg
from run import ENVIRONMENT, ROOT, install, paired, ratio

from surefoot.postgres.embedded import Server, embedded_bin

_FLOOR = """
import ctypes, sys
pq = ctypes.CDLL(sys.argv[1])
pq.PQconnectdb.restype = pq.PQexec.restype = ctypes.c_void_p
connection = ctypes.c_void_p(pq.PQconnectdb(sys.argv[2].encode()))
assert pq.PQstatus(connection) == 0
assert pq.PQresultStatus(ctypes.c_void_p(pq.PQexec(connection, b"select 1"))) == 2
"""
_PSYCOPG = "import psycopg, sys; psycopg.connect(sys.argv[1]).execute('select 1')"


def dbmate(server: Server) -> list[str] | None:
    """Return the command of a dbmate with nothing to do; None if npm can't get it."""
    home = ENVIRONMENT / "dbmate"
    program = home / "node_modules" / ".bin" / "dbmate"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            return None
        done = subprocess.run(
            [npm, "install", "--silent", "--prefix", str(home), "dbmate"],
            check=False,
            capture_output=True,
        )
        if done.returncode != 0 or not program.exists():
            return None
    migrations = home / "migrations"
    migrations.mkdir(exist_ok=True)
    (migrations / "1_first.sql").write_text(
        "-- migrate:up\ncreate table t (id int);\n-- migrate:down\n"
    )
    # not npm's wrapper, which starts Node first
    binaries = [p for p in home.glob("node_modules/@dbmate/*/bin/dbmate") if p.is_file()]
    url = f"{server.url('dbmate')}?sslmode=disable"
    options = ["--url", url, "--migrations-dir", str(migrations), "--no-dump-schema"]
    return [str((binaries or [program])[0]), *options, "up"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args()
    programs = install()
    for name in list(os.environ):
        if name.startswith(("PG", "POSTGRES_", "DATABASE_URL", "SUREFOOT_")):
            del os.environ[name]
    (libpq,) = ENVIRONMENT.glob("lib/python3*/site-packages/psycopg_binary.libs/libpq-*")
    with Server(embedded_bin()) as server, tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary) / "example"
        shutil.copytree(ROOT / "examples" / "whisperengine", directory)
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            for name in ("bench", "dbmate"):
                connection.execute(f"create database {name} template template0".encode())
        parameters = psycopg.conninfo.conninfo_to_dict(server.conninfo("bench"))
        names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
        for name, key in {**names, "DB": "dbname"}.items():
            os.environ[f"POSTGRES_{name}"] = str(parameters.get(key, ""))
        python, conninfo = str(programs / "python"), server.conninfo("bench")
        sides = {
            "floor": [python, "-c", _FLOOR, str(libpq), conninfo],
            "psycopg": [python, "-c", _PSYCOPG, conninfo],
            "surefoot": [str(programs / "surefoot"), "up"],
            "alembic": [str(programs / "alembic"), "upgrade", "head"],
        }
        if other := dbmate(server):
            sides["dbmate"] = other
        subprocess.run(sides["surefoot"], cwd=directory, check=True, capture_output=True)
        print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        times = paired(given.runs, sides, directory, lambda: None)
        print(f"load after: {os.getloadavg()[0]:.1f}\n")
        print("| nothing to do | least | median | of the floor | surefoot is |")
        print("|---|---:|---:|---:|---:|")
        for name, took in times.items():
            least, median = min(took) * 1000, statistics.median(took) * 1000
            of, faster = ratio(took, times["floor"]), ratio(took, times["surefoot"])
            print(f"| {name} | {least:.0f} ms | {median:.0f} ms | {of:.2f} | {faster:.2f} × |")


if __name__ == "__main__":
    main()
