"""Every error code, with the exit code of the process.

A code names a condition, never a place in the program. Each has a page in `pages/`, which `surefoot
explain CODE` prints, and a test that provokes it; another test checks that none lacks either.
"""

from enum import IntEnum


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


CODES: dict[str, ExitCode] = {
    # the command line, the configuration and the image
    "command-line-invalid": ExitCode.USAGE,
    "command-not-found": ExitCode.USAGE,
    "cannot-listen": ExitCode.USAGE,
    "config-exists": ExitCode.USAGE,
    "confirmation-needed": ExitCode.USAGE,
    "not-confirmed": ExitCode.REFUSED,
    "config-invalid": ExitCode.USAGE,
    "config-not-found": ExitCode.USAGE,
    "database-not-named": ExitCode.USAGE,
    "database-url-invalid": ExitCode.USAGE,
    "embedded-server-missing": ExitCode.USAGE,
    "history-needs-code": ExitCode.USAGE,
    "history-not-found": ExitCode.USAGE,
    "libpq-missing": ExitCode.USAGE,
    "output-lost": ExitCode.USAGE,
    "script-not-found": ExitCode.USAGE,
    "catalogue-missing": ExitCode.USAGE,
    "catalogue-not-written": ExitCode.USAGE,
    "catalogue-unreadable": ExitCode.USAGE,
    "catalogue-unusable": ExitCode.USAGE,
    "revision-not-found": ExitCode.USAGE,
    "init-script-not-written": ExitCode.USAGE,
    "targets-unreadable": ExitCode.USAGE,
    "tenant-not-named": ExitCode.USAGE,
    "tenant-unknown": ExitCode.USAGE,
    "tenants-unreadable": ExitCode.USAGE,
    "target-invalid": ExitCode.USAGE,
    "target-listed-twice": ExitCode.USAGE,
    "pg-dump-missing": ExitCode.USAGE,
    "case-unknown": ExitCode.USAGE,
    # the catalogue: why it can't be built, and what `catalog check` finds
    "catalogue-build-failed": ExitCode.REFUSED,
    "dump-failed": ExitCode.REFUSED,
    "extension-missing": ExitCode.REFUSED,
    "replay-leaves-scratch-server": ExitCode.REFUSED,
    "scratch-server-unusable": ExitCode.REFUSED,
    "catalogue-stale": ExitCode.PENDING,
    "downgrade-broken": ExitCode.PENDING,
    "revision-irreversible": ExitCode.PENDING,
    "init-script-differs": ExitCode.PENDING,
    "init-script-outdated": ExitCode.PENDING,
    "revision-edited": ExitCode.PENDING,
    "revision-removed": ExitCode.PENDING,
    "revision-reparented": ExitCode.PENDING,
    "several-heads": ExitCode.PENDING,
    # what `certify` finds
    "certify-failed": ExitCode.PENDING,
    "certify-incomplete": ExitCode.PENDING,
    # the server
    "authentication-failed": ExitCode.REFUSED,
    "tls-failed": ExitCode.REFUSED,
    "database-not-found": ExitCode.REFUSED,
    "embedded-server-failed": ExitCode.REFUSED,
    "server-too-old": ExitCode.REFUSED,
    "server-unreachable": ExitCode.BUSY,
    "server-not-ready": ExitCode.BUSY,
    "too-many-connections": ExitCode.BUSY,
    "look-cancelled": ExitCode.BUSY,
    "pooler-in-the-way": ExitCode.REFUSED,
    # the application's history and its env.py
    "application-changed-database": ExitCode.REFUSED,
    "another-database": ExitCode.REFUSED,
    "another-schema": ExitCode.REFUSED,
    "application-environment-failed": ExitCode.REFUSED,
    "history-empty": ExitCode.REFUSED,
    "history-unreadable": ExitCode.REFUSED,
    # the state of the database
    "look-failed": ExitCode.REFUSED,
    "object-not-trusted": ExitCode.REFUSED,
    "ambiguous-revision": ExitCode.REFUSED,
    "catalogue-required": ExitCode.REFUSED,
    "database-read-only": ExitCode.REFUSED,
    "search-path-unusable": ExitCode.REFUSED,
    "foreign-database": ExitCode.REFUSED,
    "journal-contradicts-structure": ExitCode.REFUSED,
    "nothing-to-compare": ExitCode.REFUSED,
    "structure-contradicts-revision": ExitCode.REFUSED,
    "unidentified-structure": ExitCode.REFUSED,
    "unknown-revision": ExitCode.REFUSED,
    "unversioned-database": ExitCode.REFUSED,
    "database-ahead-of-code": ExitCode.REFUSED,
    "interrupted-revision": ExitCode.REFUSED,
    "version-table-corrupted": ExitCode.REFUSED,
    "version-table-elsewhere": ExitCode.REFUSED,
    "version-rows-overlap": ExitCode.REFUSED,
    # what is in the way of the pending revisions
    "customisation-in-the-way": ExitCode.REFUSED,
    "locks-too-few": ExitCode.REFUSED,
    "privilege-missing": ExitCode.REFUSED,
    "version-column-too-short": ExitCode.REFUSED,
    "invalid-index-in-the-way": ExitCode.REFUSED,
    "object-in-the-way": ExitCode.REFUSED,
    "wrong-shape-in-the-way": ExitCode.REFUSED,
    "upgrade-loses-data": ExitCode.REFUSED,
    "journal-not-writable": ExitCode.REFUSED,
    "version-table-unreadable": ExitCode.REFUSED,
    # init scripts and approvals: reported before the first statement
    "init-script-names-another-revision": ExitCode.REFUSED,
    "init-script-newer-than-code": ExitCode.REFUSED,
    "init-script-unidentified": ExitCode.REFUSED,
    "init-script-edited": ExitCode.REFUSED,
    "init-revision-missing": ExitCode.REFUSED,
    "init-revision-unknown": ExitCode.REFUSED,
    "init-script-header-invalid": ExitCode.REFUSED,
    "plan-outdated": ExitCode.REFUSED,
    "approval-outdated": ExitCode.REFUSED,
    # why revisions can't be undone, and scripts that can't be run
    "data-would-be-lost": ExitCode.REFUSED,
    "goal-unclear": ExitCode.USAGE,
    "no-way-back": ExitCode.REFUSED,
    "journal-unverified": ExitCode.REFUSED,
    "script-encoding": ExitCode.REFUSED,
    "script-needs-psql": ExitCode.REFUSED,
    "script-not-transactional": ExitCode.REFUSED,
    "script-truncated": ExitCode.REFUSED,
    # a step failed and was rolled back
    "data-violates-constraint": ExitCode.FAILED,
    "database-encoding": ExitCode.FAILED,
    "database-not-at-head": ExitCode.FAILED,
    "env-never-commits": ExitCode.FAILED,
    "tenant-left": ExitCode.FAILED,
    "application-ended-process": ExitCode.FAILED,
    "interrupted": ExitCode.FAILED,
    "cleanup-failed": ExitCode.FAILED,
    "repair-failed": ExitCode.FAILED,
    "waits-for-itself": ExitCode.FAILED,
    "way-back-differs": ExitCode.FAILED,
    "requirement-not-met": ExitCode.FAILED,
    "lock-not-available": ExitCode.FAILED,
    "revision-failed": ExitCode.FAILED,
    "row-security-in-the-way": ExitCode.FAILED,
    "sequence-behind": ExitCode.FAILED,
    "script-failed": ExitCode.FAILED,
    # the same, because of the server or an administrator
    "connection-lost": ExitCode.FAILED,
    "disk-full": ExitCode.FAILED,
    "out-of-memory": ExitCode.FAILED,
    "out-of-shared-memory": ExitCode.FAILED,
    "server-restarted": ExitCode.FAILED,
    "session-terminated": ExitCode.FAILED,
    "statement-cancelled": ExitCode.FAILED,
    "statement-timeout": ExitCode.FAILED,
    # a person must check the result
    "account-missing": ExitCode.PARTIAL,
    "connection-lost-at-commit": ExitCode.PARTIAL,
    "structure-not-reached": ExitCode.PARTIAL,
    "revision-partly-applied": ExitCode.PARTIAL,
    # backup and restore
    "backup-failed": ExitCode.REFUSED,
    "backup-no-room": ExitCode.REFUSED,
    "backup-not-found": ExitCode.USAGE,
    "backup-of-another-database": ExitCode.REFUSED,
    "restore-takes-others-back": ExitCode.REFUSED,
    "backup-unverified": ExitCode.REFUSED,
    "database-in-use": ExitCode.BUSY,
    "restore-differs": ExitCode.FAILED,
    "restore-failed": ExitCode.FAILED,
    "restore-in-the-way": ExitCode.REFUSED,
    "restore-not-possible": ExitCode.REFUSED,
    # many databases
    "rollout-stopped": ExitCode.FAILED,
    "run-lost": ExitCode.FAILED,
    "scheduler-unusable": ExitCode.USAGE,
    "worker-differs": ExitCode.REFUSED,
    # another surefoot is running
    "lock-held-elsewhere": ExitCode.BUSY,
    "orphaned-statement": ExitCode.BUSY,
    "lock-lost": ExitCode.FAILED,
}
