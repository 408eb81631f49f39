create schema if not exists surefoot
