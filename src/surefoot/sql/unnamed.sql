-- Settings for the session, in one message, because behind a pooler the next one may reach another session. There the
-- session is shared, and the name that PgBouncer gave it for surefoot would stay on it and be shown for others; the
-- process id reveals a pooler, which hands out numbers of its own. Other clients expect the session's initial settings. A
-- session of surefoot's own isn't ended, and its statements aren't cancelled, by the timeouts that a role or a database has
-- for the application's daily work: it is idle while env.py and revisions run.
select pg_catalog.set_config(s.name, case when s.name OPERATOR(pg_catalog.=) 'application_name' then s.reset_val else '0' end, false)
from pg_catalog.pg_settings s
where case
        when s.name OPERATOR(pg_catalog.=) 'application_name'
            then pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.<>) cast(%(pid)s as pg_catalog.int4)
        when s.name OPERATOR(pg_catalog.=) any (array[
            'statement_timeout', 'lock_timeout', 'idle_session_timeout', 'idle_in_transaction_session_timeout',
            'transaction_timeout'
        ]::pg_catalog.text[])
            then pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) cast(%(pid)s as pg_catalog.int4)
                and s.reset_val OPERATOR(pg_catalog.<>) '0'
        else false
    end
