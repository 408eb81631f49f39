-- Whether the transaction has written nothing since the row with which a revision began, just before it is rolled back. The
-- number of a command, by which its rows know it, grows only after a command that may have written: the mark's is the one
-- before this update's. No row if the mark isn't of this transaction.
update surefoot.journal now
set step = now.step
from surefoot.journal mark
where now.id OPERATOR(pg_catalog.=) cast(%(id)s as pg_catalog.int8)
  and mark.id OPERATOR(pg_catalog.=) now.id
  and mark.xmin OPERATOR(pg_catalog.=) cast(pg_catalog.pg_current_xact_id() as pg_catalog.xid)
returning (
    cast(cast(now.cmin as pg_catalog.text) as pg_catalog.int8)
    OPERATOR(pg_catalog.-) cast(cast(mark.cmin as pg_catalog.text) as pg_catalog.int8)
) OPERATOR(pg_catalog.=) 1
