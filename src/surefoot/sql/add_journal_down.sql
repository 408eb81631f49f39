-- A journal that was made before ways back were kept.
alter table surefoot.journal add column if not exists down pg_catalog.text
