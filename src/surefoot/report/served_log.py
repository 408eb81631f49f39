"""Report a run over HTTP, with a log for programs."""

from surefoot.report.log import LogReport
from surefoot.report.served import Served


class ServedLog(Served, LogReport):
    """Reports to the log as events, and in numbers to the page."""
