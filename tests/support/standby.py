"""A server and its standby."""

import time

from tests.support.project import Application, Result
from tests.support.servers import MakeServer, OwnServer

PSYCOPG = "postgresql+psycopg"


class Pair:
    """A primary, and a standby that follows it."""

    def __init__(self, make: MakeServer) -> None:
        self.primary = make()
        self.primary.stop()
        self.standby = make(of=self.primary, start=False)
        self.primary.start()
        (self.standby.cluster / "standby.signal").touch()
        self.standby.settings["primary_conninfo"] = self.primary.server.conninfo()
        self.standby.start()

    def run(self, application: Application, on: OwnServer, *arguments: str) -> Result:
        return application.run(*arguments, url=on.database.url(PSYCOPG))

    def hold(self) -> None:
        """Let the standby lag from now on."""
        self.follow()
        self.standby.database.execute("select pg_wal_replay_pause()")
        while self.standby.database.query("select pg_is_wal_replay_paused()") != [(True,)]:
            time.sleep(0.02)

    def follow(self) -> None:
        """Let the standby catch up with the primary."""
        self.standby.database.execute("select pg_wal_replay_resume()")
        ((here,),) = self.primary.database.query("select pg_current_wal_lsn()::text")
        reached = f"select pg_last_wal_replay_lsn() >= '{here}'"
        while self.standby.database.query(reached) != [(True,)]:
            time.sleep(0.02)
