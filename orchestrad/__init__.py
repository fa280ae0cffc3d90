"""orchestrad: a daemon that runs a fleet of Claude Code agents, day and night, and loses nothing."""

__version__ = "0.1.0"
