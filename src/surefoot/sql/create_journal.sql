-- One row for each step. It commits or rolls back with the step.
create table if not exists surefoot.journal (
    id bigint generated always as identity primary key,
    at pg_catalog.timestamptz not null default pg_catalog.clock_timestamp(),
    run pg_catalog.text not null,          -- one run of surefoot: the same in all its rows
    history pg_catalog.text not null,      -- whose row it is: the version table, with its schema
    env pg_catalog.text,                   -- SHA-256 of the env.py that led here; null where none was run
    step pg_catalog.text not null,         -- install, stamp, adopt, begun, revision, down, seed, reached, unchecked, unreached, cleanup;
                                -- drop-indexes, mended, undone: done about a revision that was left half-way;
                                -- approved: a person has approved the run's plan, by the word in `name`
    name pg_catalog.text not null,         -- the revision's id or the script's path; several ids as in `parents`
    parents pg_catalog.text not null,      -- the revisions below it, separated by spaces; each on a line if an id has one
    direction pg_catalog.text not null,    -- up or down
    release pg_catalog.text,               -- the application's release that the revision ends, if it says so
    floor pg_catalog.text,                 -- the oldest release or revision whose code can run on it, if it says so
    hash pg_catalog.text,                  -- SHA-256 of the file that was run
    evidence pg_catalog.text,              -- of an adoption, as JSON: what it was decided by, what was accepted;
                                -- of a run's end, as JSON: what was seen, and what that rests on;
                                -- of init scripts that stand for base: the DDL seal after the last one;
                                -- of a way back that was begun: how many of its statements are done
    down pg_catalog.text,                  -- the way back, as JSON: of this revision, or of all that a stamp or an adoption stands for
    milliseconds double precision not null,
    role pg_catalog.text not null default current_user,
    host pg_catalog.text not null,         -- the machine or container that ran it
    surefoot pg_catalog.text not null,     -- surefoot's version
    pid int,                    -- of a revision: the server process that ran it,
    session pg_catalog.timestamptz         -- and when that one started: together they are nobody else's
)
