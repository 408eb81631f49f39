"""SQL scripts: read, judged, and split into statements, as psql would."""

from surefoot.scripts.reader import CopyBlock, Script, Statement, Summary, check, read

__all__ = ["CopyBlock", "Script", "Statement", "Summary", "check", "read"]
