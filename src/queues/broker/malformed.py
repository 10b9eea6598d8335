"""Where messages go that nobody can read, or run, so that they block no others."""

DEAD_LETTERS = "dead-letters"
"""The queue of messages that no worker could run, or whose run gave up."""

MALFORMED_KEY = "_kombu.malformed"
"""The list of messages that cannot be read."""
# What reading a message may raise that somebody else has written.
UNREADABLE = (TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError)
