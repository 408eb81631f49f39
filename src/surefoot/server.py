"""The embedded PostgreSQL, by the name under which scripts outside of surefoot import it."""

from surefoot.postgres.embedded import Server, embedded_bin, has_embedded

__all__ = ["Server", "embedded_bin", "has_embedded"]
