-- One read-only snapshot. What prints a definition waits for whoever changes the table, as long as a look does (look.sql).
set transaction isolation level repeatable read, read only;
set local lock_timeout = '10min'
