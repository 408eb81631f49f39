-- One read-only snapshot. Printing a definition waits for a session that has locked the table: at most as long as in look.sql.
set transaction isolation level repeatable read, read only;
set local lock_timeout = '10min'
