"""Marks for what an older Alembic doesn't have; `make matrix` runs the oldest."""

import re
from importlib.metadata import version

import pytest


def _since(package: str, *least: int) -> pytest.MarkDecorator:
    found = tuple(int(part) for part in re.findall(r"\d+", version(package))[:3])
    wanted = ".".join(map(str, least))
    return pytest.mark.skipif(found < least, reason=f"new in {package} {wanted}")


def alembic_from(*least: int) -> pytest.MarkDecorator:
    """Mark a test that needs this version of Alembic, or a newer one."""
    return _since("alembic", *least)
