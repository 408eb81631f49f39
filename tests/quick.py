"""What the quick look says by itself, without what a start does afterwards."""

import os

from tests import starts
from tests.support.project import Application

_SCRIPT = """
import os
from surefoot.quick import settled
try:
    found = settled(None, None, os.environ, os.getcwd())
except Exception as error:
    print(f"{type(error).__name__}: {error}")
else:
    print("nothing to do", *found.rows)
"""


def quick(application: Application, url: str, **environ: str) -> str:
    """Its answer: "nothing to do" with the version rows, or why it can't settle that."""
    done = starts.run(
        *("-c", _SCRIPT),
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": url, **environ},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()
