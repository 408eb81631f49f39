"""The program: `surefoot`, or `python -m surefoot`. Its start and end are measured in bench/."""

import gc
import os
import sys


def run() -> None:
    """Start the command line, and end the process with its exit code.

    A container pays for this at every start, and mostly there is nothing to do. So the collector
    is off while modules are imported (it would go over them again and again and find nothing;
    `application.loading` turns it on), and a process that has loaded nothing of the application's
    ends without taking the interpreter apart, which takes longer than all the rest of our work.
    """
    gc.disable()
    from surefoot.cli import main

    try:
        main()
    except SystemExit as end:
        if "alembic" in sys.modules or not isinstance(end.code, int):
            raise  # the application may have something to do at exit
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)


if __name__ == "__main__":
    run()
