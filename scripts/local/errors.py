class LocalError(Exception):
    """Why the local environment cannot start or go on, in words for whoever started it."""


class Stopped(Exception):  # noqa: N818 - a request, not a failure
    """Somebody asked us to stop."""
