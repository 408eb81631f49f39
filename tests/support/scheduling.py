"""Distribute tests over pytest-xdist's workers: some share something expensive.

By their names: pytest-xdist writes the mark `xdist_group` into their ids, which pytest 9.2 doesn't
allow. Groups come first, because they take long.
"""

import re

from xdist.scheduler import LoadScopeScheduling

# A stage of tests/chaos takes a while to make, and belongs to the path of its runs.
_WAY = re.compile(r"tests/chaos/test_kill_and_cut\.py::.*\[(\w+)\]$")
_TOGETHER = ("tests/chaos/test_replicas.py", "tests/postgres/test_planted.py")


class Groups(LoadScopeScheduling):
    """One test after another, except those that share something expensive."""

    def _split_scope(self, nodeid: str) -> str:
        if way := _WAY.search(nodeid):
            return f"chaos {way[1]}"
        file = nodeid.partition("::")[0]
        return file if file in _TOGETHER else nodeid
