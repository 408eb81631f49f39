"""surefoot: looks, thinks, shows, then moves."""

__version__ = "0.1.0"
