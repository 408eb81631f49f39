"""The same where the log is for programs."""

from surefoot.report.log import LogReport
from surefoot.report.served import Served


class ServedLog(Served, LogReport):
    """Events for the log, and numbers for the page."""
