"""Messages that cannot be read are moved to a list, so that they block no others."""

MALFORMED_KEY = "_kombu.malformed"
# What reading a message may raise that somebody else has written.
UNREADABLE = (TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError)
