"""The program: `surefoot`, or `python -m surefoot`. Its start and end are measured in bench/."""

import os
import sys

from surefoot.system.shadowing import guard_start


def run() -> None:
    """Start the command line, and end the process with its exit code.

    A container pays for this at every start, and mostly there is nothing to do. So the collector
    is off while modules are imported (it would go over them again and again and find nothing;
    `application.loading` turns it on), and a process that has loaded nothing of the application's
    ends without taking the interpreter apart, which takes longer than all the rest of our work.
    """
    guard_start()  # before anything is imported that the application may have a module of
    import contextlib
    import gc

    gc.disable()
    _open_missing_streams()
    from surefoot.cli import main

    try:
        main()
    except SystemExit as end:
        if "alembic" in sys.modules or not isinstance(end.code, int):
            raise  # the application may have something to do at exit
        with contextlib.suppress(OSError):  # what could not be written has been told, or can't be
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(end.code)


def _open_missing_streams() -> None:
    """Started without standard streams (`>&-`), a file or a socket would take their numbers."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115 (open for good)


if __name__ == "__main__":
    run()
