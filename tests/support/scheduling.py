"""Which worker of pytest-xdist runs what: some tests have something expensive in common.

By what they are called: pytest-xdist writes the mark `xdist_group` into their ids, which pytest 9.2
doesn't let it. Groups, being several tests, come first, and they take long.
"""

import re

from xdist.scheduler import LoadScopeScheduling

# A stage of tests/chaos, which takes a while to make, belongs to a way that runs go.
_WAY = re.compile(r"tests/chaos/test_kill_and_cut\.py::.*\[(\w+)\]$")
_TOGETHER = ("tests/chaos/test_replicas.py", "tests/postgres/test_planted.py")


class Groups(LoadScopeScheduling):
    """One test after another, but for those that have something expensive in common."""

    def _split_scope(self, nodeid: str) -> str:
        if way := _WAY.search(nodeid):
            return f"chaos {way[1]}"
        file = nodeid.partition("::")[0]
        return file if file in _TOGETHER else nodeid
