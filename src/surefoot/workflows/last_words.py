"""Report a run whose process the application's code ended, or that was killed.

The supervising process reports it; that process has loaded none of the application's code.
"""

import signal
from functools import partial
from typing import TYPE_CHECKING

from surefoot.decision.facts import VersionTableName
from surefoot.errors import Finding, SurefootError
from surefoot.run.failure_report import Stopped, account
from surefoot.run.verify import look_after
from surefoot.system.supervisor import Died

if TYPE_CHECKING:
    from surefoot.workflows.workspace import Workspace


def account_of(died: Died, workspace: "Workspace | None") -> SurefootError:
    """Return why the run ended, and what the server says about the step that it had begun."""
    finding = _why(died)
    if workspace is None or died.run is None:
        return SurefootError.of(finding)
    name, schema = died.version_table
    table = VersionTableName(name or "", schema)
    step = next(reversed(died.transactions), "")
    stopped = Stopped(finding, step, died.transactions)
    connect = partial(workspace.connect, hurry=died.signalled)
    try:
        after = look_after(connect, died.run, died.transactions.values(), table)
    except SurefootError as error:
        (finding,) = account(stopped, None, error, table)
    else:
        (finding,) = account(stopped, after, None, table)
    return SurefootError.of(finding)


def _why(died: Died) -> Finding:
    if died.signalled:
        return Finding(
            "interrupted",
            "A signal ended the run. The application's code did not stop, and was killed.",
            next="start again: surefoot continues from the database's current revision",
        )
    if died.status < 0:
        return Finding(
            "application-ended-process",
            "The process that runs the application's code was killed by "
            f"{signal.Signals(-died.status).name}.",
            next="find out what killed it: the kernel if memory ran out, a crash in one of the "
            "application's libraries (its own log or the kernel's says so), or a person. Then "
            "start again",
        )
    return Finding(
        "application-ended-process",
        f"The application's code ended its own process, with exit code {died.status}, before the "
        "run was complete.",
        next="remove calls of os._exit() and os.exec…(), and exits from a thread, a signal handler "
        "or atexit, from env.py, the revisions and the modules that they import. Then start again",
    )
