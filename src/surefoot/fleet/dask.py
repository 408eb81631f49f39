"""The workers of a Dask cluster, as a `concurrent.futures.Executor`."""

import importlib
from concurrent.futures import Executor
from typing import Any

from surefoot.errors import NOT_CHANGED, SurefootError

_PATIENCE = 10  # seconds for the scheduler to answer
# A worker that ends takes its run with it; the next one continues from what the database records.
_RETRIES = 3


def executor_of(scheduler: str) -> Executor:
    """Connect to a scheduler, tcp://HOST:PORT or tls://HOST:PORT.

    Raises SurefootError `scheduler-unusable`.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        seen = "the package distributed is not installed"
        raise _unusable(scheduler, seen, "pip install 'surefoot[dask]'") from error
    try:
        client = distributed.Client(scheduler, timeout=_PATIENCE, set_as_default=False)
        workers = len(client.scheduler_info()["workers"])
    except TypeError as error:  # distributed has no certificates for tls://
        seen = " ".join(str(error).split())
        what_to_do = (
            "name the certificates in Dask's configuration, distributed.comm.tls, for example with "
            "the variables DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__CLIENT__CERT and …__CLIENT__KEY"
        )
        raise _unusable(scheduler, seen, what_to_do) from error
    except (OSError, TimeoutError, ValueError) as error:
        seen = " ".join(str(error).split())
        raise _unusable(scheduler, seen, "start the scheduler, or correct --scheduler") from error
    if not workers:
        raise _unusable(scheduler, "it has no workers", "start workers in the new image")
    # the same run twice is two runs: by default its result would be remembered
    return client.get_executor(pure=False, retries=_RETRIES)


def _unusable(scheduler: str, seen: str, what_to_do: str) -> SurefootError:
    return SurefootError(
        "scheduler-unusable",
        f"The Dask scheduler {scheduler} can't be used.",
        seen=[seen],
        database=NOT_CHANGED,
        next=f"{what_to_do}, then run the same command again; without --scheduler, surefoot works "
        "on this machine",
    )
