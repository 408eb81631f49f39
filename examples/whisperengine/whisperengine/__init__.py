"""A small stand-in for a self-hosted chat bot with AI characters."""

__version__ = "1.0.30"
