"""A PostgreSQL server of our own, for trying things on: started here, gone when we are gone."""

from surefoot.postgres.embedded.launcher import Server, embedded_bin, has_embedded

__all__ = ["Server", "embedded_bin", "has_embedded"]
