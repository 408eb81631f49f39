"""The project: its configuration, its database's address, the files that surefoot generates."""
