"""A run that is killed or cut off at a statement, and replicas that start at once."""

import contextlib
import os
import signal
import time

from surefoot.certify import invariants
from surefoot.certify.plan import Fault
from surefoot.certify.proxy import Proxy, Stop, between
from surefoot.certify.running import LONGEST, Output, Running
from surefoot.certify.trial import Missed, Trial

_PAUSE = 0.002  # seconds into a statement that the server is at


def disturbed(trial: Trial) -> None:
    """SIGKILL to the whole process group, or every connection cut; then another start."""
    fault = trial.case.fault
    assert fault is not None
    name = trial.database()
    output = _run(trial, name, fault)
    trial.outputs.append(output)
    left = trial.stage.sessions_left(name)
    trial.violated(sessions_end=left)
    if output.code is not None:
        seen, known = trial.look(name), trial.undisturbed
        midway = trial.stage.catalogue.history.revisions
        # only a revision's file says whether it commits midway; any may, as far as is known here
        trial.violated(
            claim_is_true=invariants.claim_is_true(output, known.start, seen, known, midway)
        )
    if trial.start_again(name):
        trial.at_head(name)


def _run(trial: Trial, name: str, fault: Fault) -> Output:
    """The run with the fault in it. Raises Missed where it was over before."""
    stop = Stop(max(1, fault.at.number - trial.sooner), fault.at.side)
    host, port = trial.stage.host
    with between(port, stop, host) as proxy:
        run = trial.start(name, "up", "--json", port=proxy.port)
        try:
            _wait(run, proxy)
            _do(trial, run, proxy, fault)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.process.pid, signal.SIGKILL)
            run.process.communicate()
            raise
        done = run.output()
        at = proxy.log[stop.number - 1]
        trial.fault += f" {stop.side} statement {at.number}: {' '.join(at.text.split())[:100]}"
        return done


def _wait(run: Running, proxy: Proxy) -> None:
    deadline = time.monotonic() + LONGEST
    while not proxy.reached.wait(0.01):
        if run.process.poll() is not None:
            raise Missed
        if time.monotonic() > deadline:
            raise TimeoutError("the moment of the fault never came")
    if proxy.stop_side == "while":
        time.sleep(_PAUSE)
    if run.process.poll() is not None:
        raise Missed


def _do(trial: Trial, run: Running, proxy: Proxy, fault: Fault) -> None:
    """Raises Missed where the run was over by itself."""
    if fault.does == "cut":
        cut = proxy.cut()
        trial.fault = f"{cut} connections cut"
        if not cut:
            raise Missed
        return
    os.killpg(run.process.pid, signal.SIGKILL)
    if fault.at.side != "while":
        proxy.cut()  # what was held was never sent, or never heard
    run.process.wait()
    if run.process.returncode != -signal.SIGKILL:
        raise Missed
    trial.fault = "SIGKILL seen"


def replicas(trial: Trial) -> None:
    """Several `surefoot up` at once: each comes to head, and one of them has done everything."""
    number = int(trial.case.detail)
    name = trial.database()
    running = [trial.start(name, "up", "--json") for _ in range(number)]
    try:
        together = 0
        while any(one.process.poll() is None for one in running):
            now = sum(one.process.poll() is None for one in running)
            together = max(together, now if len(trial.stage.sessions(name)) > 1 else 0)
            time.sleep(0.02)
    finally:
        outputs = [one.output() for one in running]
    trial.outputs += outputs
    if together < 2:
        raise Missed
    trial.fault = f"{together} at work at once"
    for output in outputs:
        trial.violated(head_in_one_start=invariants.head_in_one_start(output))
    worked = [output for output in outputs if output.json.get("done")]
    if len(worked) > 1:
        trial.violated(done_by_one=[f"{len(worked)} replicas have done something"])
    if all(output.code == 0 for output in outputs):
        trial.at_head(name)
