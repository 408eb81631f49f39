-- What holds for the session, in one statement, since the next one may be another session's behind a pooler.
-- There the session is shared, and the name that PgBouncer gave it at our behest would stay on it and be told of
-- others; the pooler gives itself away by the process id: it hands out numbers of its own. What the session began with is
-- what others expect. A session of our own isn't ended by the timeouts that a role or a database has for the application's
-- daily work: it is idle while env.py and revisions run.
select pg_catalog.set_config(s.name, case when s.name OPERATOR(pg_catalog.=) 'application_name' then s.reset_val else '0' end, false)
from pg_catalog.pg_settings s
where case
        when s.name OPERATOR(pg_catalog.=) 'application_name'
            then pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.<>) cast(%(pid)s as pg_catalog.int4)
        when s.name OPERATOR(pg_catalog.=) any (array[
            'idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout'
        ]::pg_catalog.text[])
            then pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) cast(%(pid)s as pg_catalog.int4)
                and s.setting OPERATOR(pg_catalog.<>) '0'
        else false
    end
