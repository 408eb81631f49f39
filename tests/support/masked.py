"""Mask what differs between runs in printed output."""

import re

from tests.support.database import Database

_REPLAYING = "replaying on postgres on db:5432, PostgreSQL 18.0 (named by\n  --server)"


def masked(text: str, database: Database) -> str:
    """Replace what differs between runs with text of the same width."""
    text = text.replace(f"{database.name} on 127.0.0.1:{database.server.port}", "app on db:5432")
    text = text.replace(database.name, "app")
    text = re.sub(r"/\S*/(?:application|whisperengine)/", "/app/", text)
    text = re.sub(r"^(surefoot  )\d\S*$", r"\g<1>1.0.0", text, flags=re.M)
    text = re.sub(r"PostgreSQL \d+(\.\d+)?", "PostgreSQL 18.0", text)
    # each version prints definitions differently
    text = re.sub(r"(init\.sql: at \w+,) [\d,]+ bytes", r"\1 2,311 bytes", text)
    words = r"\b((?:adopt|repair|down|cleanup|restore|up)(?:-[a-z]+)*-)[0-9a-f]{16}\b"
    text = re.sub(words, r"\g<1>5f0c9d1e7a3b2846", text)
    # only if the tests run in a container
    text = re.sub(r"^(?:container|pod) .*\n(?: {10}.*\n)*", "", text, flags=re.M)
    mark = r"(by\s+run\s+)[0-9a-f]{16},(\s+)\d{4}-\d\d-\d\d(\s+)\d\d:\d\d:\d\d"
    text = re.sub(mark, r"\g<1>5f0c9d1e7a3b2846,\g<2>2026-03-01\g<3>09:30:00", text)
    text = re.sub(r"\d+\.\d\d s$", "0.00 s", text, flags=re.M)
    text = re.sub(r"\d\.\d s$", "0.0 s", text, flags=re.M)
    text = re.sub(r"replaying on .*?\(named by\s+--server\)", _REPLAYING, text, flags=re.S)
    return re.sub(r"in \d+\.\d s", "in 0.0 s", text)
