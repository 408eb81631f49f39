"""An invented backup sidecar."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from surefoot.backups.sidecar import Contents, Sidecar, Sizes

NOW = datetime(2026, 11, 27, 19, 0, 39, tzinfo=UTC)


CONTENTS = Contents(("r2",), 3, "whole", {"public.a": "1", "public.b": "2"}, ())


def sidecar(days: float = 0, **changed: Any) -> Sidecar:
    """Return a sidecar of a backup that was taken so many days ago."""
    made = Sidecar(
        database="shop",
        taken_at=NOW - timedelta(days=days),
        reason="asked",
        contents=CONTENTS,
        version_table="alembic_version",
        version_schema=None,
        release="v1.0",
        server_version=180000,
        pg_dump="pg_dump (PostgreSQL) 18.1",
        surefoot="0.1.0",
        roles=("app",),
        extensions=(),
        sizes=Sizes(1000, 2000),
        bytes=100,
        sha256="abc",
    )
    return msgspec.structs.replace(made, **changed)
