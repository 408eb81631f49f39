"""Keystone's own Alembic configuration; its settings must have been registered and read before."""

import keystone.conf
from alembic.config import Config
from keystone.common.sql import upgrades
from oslo_db import options


def config() -> Config:
    keystone.conf.configure()
    options.set_defaults(keystone.conf.CONF)
    keystone.conf.CONF([], project="keystone")
    return upgrades.get_alembic_config()
