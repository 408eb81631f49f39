"""What comes of a database of a fleet, by what its run says; and of all of them."""

import itertools

import pytest

from surefoot.errors import ExitCode, Finding
from surefoot.fleet.result import Result, Totals, gravest, of_run

ORDER = (6, 1, 5, 7, 4, 2, 3, 0)


def test_the_gravest_code_says_what_to_do_next() -> None:
    assert set(ORDER) == set(ExitCode)
    for one, other in itertools.combinations(ORDER, 2):
        assert gravest([ExitCode(other), ExitCode(one)]) == one


@pytest.mark.parametrize(
    ("code", "found", "kind"),
    [
        (0, {"done": [], "plan": []}, "ready"),
        (0, {"done": [{"step": "revision"}]}, "migrated"),
        (0, {"plan": [{"step": "upgrade"}]}, "pending"),
        (3, {"plan": [{"step": "upgrade"}]}, "pending"),
        (4, {"findings": [{"code": "unknown-revision"}]}, "refused"),
        (7, {"findings": [{"code": "server-unreachable"}]}, "busy"),
        (5, {"findings": [{"code": "interrupted"}]}, "interrupted"),
        (5, {"findings": [{"code": "revision-failed"}], "done": [{"step": "revision"}]}, "failed"),
        (6, {"findings": [{"code": "revision-partly-applied"}]}, "failed"),
        (2, {"findings": [{"code": "history-not-found"}]}, "failed"),
        (1, {}, "failed"),
    ],
)
def test_what_comes_of_a_database(code: int, found: dict, kind: str) -> None:
    said = {"schema_version": 1, "command": "up", "exit_code": code, **found}
    result = of_run("acme", ExitCode(code), said)
    assert (result.kind, result.exit_code) == (kind, code)
    assert result.parts == found


def test_the_fleets_own_finding_counts_before_the_databases() -> None:
    totals = Totals()
    assert totals.exit_code is ExitCode.DONE
    for code in (ExitCode.BUSY, ExitCode.PARTIAL):
        totals.add(Result("acme", "failed", code))
    assert totals.exit_code is ExitCode.PARTIAL
    totals.findings = (Finding("rollout-stopped", "Too many databases have failed."),)
    assert totals.exit_code is ExitCode.FAILED
