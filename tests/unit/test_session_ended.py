"""What the progress says of a session that PostgreSQL doesn't show any more."""

import io

from surefoot.model.progress import Session
from surefoot.report.terminal import Terminal
from surefoot.report.text import TextReport


def test_a_session_of_the_steps_own_has_ended() -> None:
    """Through a pooler, the step may have another session by now."""
    report = TextReport(Terminal(io.StringIO()), observe=lambda _: None)
    own, pooled = Session(1, started="2026-11-30 10:00:00+00"), Session(1)
    assert report._seen(own)[1] == ("its session has ended",)
    assert report._seen(pooled)[1] == ("PostgreSQL shows no session for it",)
