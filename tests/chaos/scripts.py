"""The script reader against `psql -1 -v ON_ERROR_STOP=1 -f`, on thousands of generated scripts.

Each script is given to both, on two databases that are made empty before; success or failure and
everything that is in the databases afterwards must be the same. What surefoot refuses before it
sends anything must be of a kind that docs/design/scripts.md names, and psql is asked about it
where it can be. By itself: `python tests/chaos/scripts.py --seed 1 --count 10000`.
"""

import argparse
import multiprocessing
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# ruff: noqa: E402  the path comes before the imports
sys.path[:0] = [str(ROOT), str(ROOT / "src")]  # by itself, this file's directory stands there

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from surefoot.postgres.embedded import Server, embedded_bin
from tests.chaos import script_texts
from tests.chaos.script_pair import Address, Found, Pair, compare
from tests.chaos.table import Row

COMMAND = "python tests/chaos/scripts.py --seed {seed} --count {count}"
WORKERS = 2
BLOCK = 100  # scripts made from one seed
KINDS = {
    "scripts, against psql": (script_texts.ENCODED, 0.5),
    "scripts with damaged bytes, against psql": (script_texts.DAMAGED, 0.27),
    "scripts cut off, against psql": (script_texts.CUT, 0.2),
    "binary files, against psql": (script_texts.BINARY, 0.03),
}
# One psql and its server for each: how scripts are read depends on the database's own encoding.
DATABASES = ["UTF8", "UTF8", "UTF8", "LATIN1", "SQL_ASCII", "EUC_JP"]


def block(pair: Pair, strategy: st.SearchStrategy[bytes], number: int, count: int) -> Found:
    """The scripts that one seed gives."""
    found = Found(number)
    started = time.monotonic()

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list[HealthCheck](HealthCheck),  # pyright: ignore[reportArgumentType]
    )
    @given(strategy)
    def one(script: bytes) -> None:
        if found.times < count:
            compare(pair, script, found)

    one()
    found.seconds = time.monotonic() - started
    return found


def _work(task: tuple[Address, Path, int, list[tuple[str, int, int]]]) -> dict[str, Found]:
    address, directory, worker, blocks = task
    found: dict[str, Found] = {}
    pairs = {
        encoding: Pair(address, f"w{worker}_{encoding.lower()}", directory, encoding)
        for encoding in dict.fromkeys(DATABASES)
    }
    for kind, number, count in blocks:
        pair = pairs[DATABASES[number % len(DATABASES)]]
        found.setdefault(kind, Found()).add(block(pair, KINDS[kind][0], number, count))
    for pair in pairs.values():
        pair.close()
    return found


def generated(address: Address, directory: Path, number: int, count: int) -> dict[str, Found]:
    """What became of `count` generated scripts, compared in two processes."""
    blocks: list[tuple[str, int, int]] = []
    number *= 1000
    for kind, (_, share) in KINDS.items():
        left = round(count * share)
        while left > 0:
            blocks.append((kind, number, min(BLOCK, left)))
            left, number = left - BLOCK, number + 1
    found = {kind: Found() for kind in KINDS}
    tasks = [(address, directory, i, blocks[i::WORKERS]) for i in range(WORKERS)]
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        for part in pool.imap_unordered(_work, tasks):
            for kind, one in part.items():
                found[kind].add(one)
    return found


def dumps_cut_off(address: Address, directory: Path, number: int, count: int) -> Found:
    """What pg_dump writes, cut off at places chosen at random: nothing may be left of it."""
    found = Found(number)
    started = time.monotonic()
    pair = Pair(address, "cut", directory)
    pair.empty()
    pair.looking["psql"].execute(script_texts.RICH + script_texts.BODY)
    dumps: list[bytes] = []
    for options in ([], ["--inserts"]):
        command = [
            embedded_bin() / "pg_dump",
            *options,
            "--schema=app",
            "-d",
            pair.conninfo("psql"),
        ]
        dumps.append(subprocess.run(command, check=True, capture_output=True).stdout)
    for dump in dumps:
        last = dump.rstrip().rfind(b"\n\n")  # behind this stands only \unrestrict
        chosen = random.Random(number).choices(range(len(dump)), k=count // 2)
        # each kind of place for sure: behind the first lines
        for at in sorted({*chosen, *(i + 1 for i, byte in enumerate(dump[:2000]) if byte == 10)}):
            outcome = compare(pair, dump[:at], found)
            if outcome == "both succeed" and dump[:at].find(b"CREATE") >= 0 and at < last:
                found.violations.append(f"a dump of {len(dump)} bytes, cut off at {at}, was taken")
    pair.close()
    found.seconds = time.monotonic() - started
    return found


MEGABYTES = 100
LARGE: dict[str, Callable[[bytes], list[bytes]]] = {
    "a literal": lambda text: [b"INSERT INTO t VALUES (1, '", text, b"');\n"],
    "a row of COPY": lambda text: [b"COPY t FROM stdin;\n1\t", text, b"\n\\.\n"],
    "a comment": lambda text: [b"/* ", text, b" */ INSERT INTO t VALUES (1, 'x');\n"],
    "a function's body": lambda text: [b"DO $x$BEGIN /* ", text, b" */ NULL; END$x$;\n"],
}
_RUN = """
import sys
from pathlib import Path
from tests.chaos.script_pair import run_ours
succeeded, *_ = run_ours(Path(sys.argv[1]), sys.argv[2])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(succeeded, int(peak.split()[1]) // 1024)
"""


def large(address: Address, directory: Path) -> Found:
    """Single statements of 100 MB: the same effect, in memory for a few of them."""
    found = Found()
    started = time.monotonic()
    pair = Pair(address, "large", directory)
    script = directory / "large.sql"
    for name, made in LARGE.items():
        with script.open("wb") as file:
            file.write(b"CREATE TABLE t (a int, b text);\n")
            file.writelines(made(b"x y;" * (MEGABYTES << 18)))
        pair.empty()
        done = subprocess.run(
            [sys.executable, "-c", _RUN, script, pair.conninfo("ours")],
            env={"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
            check=True,
            capture_output=True,
            text=True,
        )
        succeeded, peak = done.stdout.split()
        found.times += 1
        found.outcomes[f"{name}, MiB at most"] = int(peak)
        theirs, _ = pair.psql(script)
        if str(theirs) != succeeded or pair.content("psql") != pair.content("ours"):
            found.violations.append(f"{name} of {MEGABYTES} MB: not as psql")
        if int(peak) > 8 * MEGABYTES:
            found.violations.append(f"{name} of {MEGABYTES} MB: {peak} MiB of memory")
    pair.close()
    script.unlink()
    found.seconds = time.monotonic() - started
    return found


def run(seed: int, count: int) -> list[Row]:
    """Compare `count` generated scripts, cut dumps, and large statements: a row for each kind."""
    directory = Path(tempfile.mkdtemp(prefix="surefoot-scripts-"))
    with Server(embedded_bin()) as server:
        address = Address(server.socket_directory, server.port)
        found = generated(address, directory, seed, count)
        found["pg_dump's scripts cut off"] = dumps_cut_off(address, directory, seed, count // 20)
        if count >= 1000:  # half a minute
            found["single statements of 100 MB"] = large(address, directory)
    command = COMMAND.format(seed=seed, count=count)
    rows: list[Row] = []
    for kind, one in found.items():
        for violation in one.violations:
            print(f"seed {seed}: {violation}", file=sys.stderr)
        remark = "; ".join(f"{name}: {times:,}" for name, times in one.outcomes.most_common())
        rows.append(Row(kind, one.times, len(one.violations), one.seconds, remark, command))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000)
    arguments = parser.parse_args()
    began = time.monotonic()
    made = run(arguments.seed, arguments.count)
    for row in made:
        print(f"{row.what}: {row.times:,}, violations {row.violations}; {row.remark}")
    print(f"seed {arguments.seed}, {time.monotonic() - began:.0f} s")
    sys.exit(any(row.violations for row in made))
