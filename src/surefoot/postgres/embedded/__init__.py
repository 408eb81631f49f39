"""An embedded PostgreSQL server for trying things: it starts here, and ends with its users."""

from surefoot.postgres.embedded.launcher import Server, embedded_bin, has_embedded

__all__ = ["Server", "embedded_bin", "has_embedded"]
