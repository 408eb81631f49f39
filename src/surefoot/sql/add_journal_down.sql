-- For a journal from before downgrade recipes were kept.
alter table surefoot.journal add column if not exists down pg_catalog.text
