"""Every error code, with the exit code of the process.

A code names a condition, never a place in the program. Each has a page in `pages/`, which `surefoot
explain CODE` prints, and a test that provokes it; another test checks that none lacks either.
"""

from enum import IntEnum
from typing import Literal, get_args


class ExitCode(IntEnum):
    """The exit code of the process. Documented in docs/reference/exit-codes.md."""

    DONE = 0
    BUG = 1
    USAGE = 2
    PENDING = 3
    REFUSED = 4
    FAILED = 5
    PARTIAL = 6
    BUSY = 7


UsageCode = Literal[
    "backup-not-found",
    "cannot-listen",
    "case-unknown",
    "catalogue-missing",
    "catalogue-not-written",
    "catalogue-unreadable",
    "catalogue-unusable",
    "command-line-invalid",
    "command-not-found",
    "config-exists",
    "config-invalid",
    "config-not-found",
    "confirmation-needed",
    "database-not-named",
    "database-url-invalid",
    "embedded-server-missing",
    "goal-unclear",
    "history-needs-code",
    "history-not-found",
    "init-script-not-written",
    "libpq-missing",
    "output-lost",
    "pg-dump-missing",
    "revision-not-found",
    "scheduler-unusable",
    "script-not-found",
    "target-invalid",
    "target-listed-twice",
    "targets-unreadable",
    "tenant-not-named",
    "tenant-unknown",
    "tenants-unreadable",
]
"""The command line, the configuration, a file or the image must be corrected."""

PendingCode = Literal[
    "catalogue-stale",
    "certify-failed",
    "certify-incomplete",
    "downgrade-broken",
    "init-script-differs",
    "init-script-outdated",
    "revision-edited",
    "revision-irreversible",
    "revision-removed",
    "revision-reparented",
    "several-heads",
]
"""What `catalog check` and `certify` find, where the application is developed."""

RefusedCode = Literal[
    "ambiguous-revision",
    "another-database",
    "another-schema",
    "application-changed-database",
    "application-environment-failed",
    "approval-outdated",
    "authentication-failed",
    "backup-failed",
    "backup-no-room",
    "backup-of-another-database",
    "backup-unverified",
    "catalogue-build-failed",
    "catalogue-required",
    "customisation-in-the-way",
    "data-would-be-lost",
    "database-ahead-of-code",
    "database-not-found",
    "database-read-only",
    "dump-failed",
    "embedded-server-failed",
    "extension-missing",
    "foreign-database",
    "history-empty",
    "history-unreadable",
    "init-revision-missing",
    "init-revision-unknown",
    "init-script-edited",
    "init-script-header-invalid",
    "init-script-names-another-revision",
    "init-script-newer-than-code",
    "init-script-unidentified",
    "interrupted-revision",
    "invalid-index-in-the-way",
    "journal-contradicts-structure",
    "journal-not-writable",
    "journal-unverified",
    "locks-too-few",
    "look-failed",
    "no-way-back",
    "not-confirmed",
    "nothing-to-compare",
    "object-in-the-way",
    "object-not-trusted",
    "plan-outdated",
    "pooler-in-the-way",
    "privilege-missing",
    "replay-leaves-scratch-server",
    "restore-in-the-way",
    "restore-not-possible",
    "restore-takes-others-back",
    "scratch-server-unusable",
    "script-encoding",
    "script-needs-psql",
    "script-not-transactional",
    "script-truncated",
    "search-path-unusable",
    "server-too-old",
    "structure-contradicts-revision",
    "tls-failed",
    "unidentified-structure",
    "unknown-revision",
    "unversioned-database",
    "upgrade-loses-data",
    "version-column-too-short",
    "version-rows-overlap",
    "version-table-corrupted",
    "version-table-elsewhere",
    "version-table-unreadable",
    "worker-differs",
    "wrong-shape-in-the-way",
]
"""Nothing was changed."""

FailedCode = Literal[
    "application-ended-process",
    "cleanup-failed",
    "connection-lost",
    "data-violates-constraint",
    "database-encoding",
    "database-not-at-head",
    "disk-full",
    "env-never-commits",
    "event-trigger-in-the-way",
    "interrupted",
    "lock-lost",
    "lock-not-available",
    "out-of-memory",
    "out-of-shared-memory",
    "repair-failed",
    "requirement-not-met",
    "restore-differs",
    "restore-failed",
    "revision-failed",
    "rollout-stopped",
    "row-security-in-the-way",
    "run-lost",
    "script-failed",
    "sequence-behind",
    "server-restarted",
    "session-terminated",
    "statement-cancelled",
    "statement-timeout",
    "tenant-left",
    "waits-for-itself",
    "way-back-differs",
]
"""A step failed and was rolled back."""

PartialCode = Literal[
    "account-missing",
    "connection-lost-at-commit",
    "revision-partly-applied",
    "structure-not-reached",
]
"""A person must check the result."""

BusyCode = Literal[
    "database-in-use",
    "lock-held-elsewhere",
    "look-cancelled",
    "orphaned-statement",
    "server-not-ready",
    "server-unreachable",
    "too-many-connections",
]
"""It may be tried again."""

ErrorCode = UsageCode | PendingCode | RefusedCode | FailedCode | PartialCode | BusyCode

CODES: dict[ErrorCode, ExitCode] = {
    **dict.fromkeys(get_args(UsageCode), ExitCode.USAGE),
    **dict.fromkeys(get_args(PendingCode), ExitCode.PENDING),
    **dict.fromkeys(get_args(RefusedCode), ExitCode.REFUSED),
    **dict.fromkeys(get_args(FailedCode), ExitCode.FAILED),
    **dict.fromkeys(get_args(PartialCode), ExitCode.PARTIAL),
    **dict.fromkeys(get_args(BusyCode), ExitCode.BUSY),
}
