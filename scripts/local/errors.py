class LocalError(Exception):
    """The local environment cannot start or go on; the message tells the user why."""


class Stopped(Exception):  # noqa: N818 - a request, not a failure
    """The supervisor was asked to stop.

    Attributes:
        is_interrupt: By SIGINT: at a terminal, Ctrl-C sends it to the children of `run` as well.
    """

    def __init__(self, *, is_interrupt: bool = False) -> None:
        self.is_interrupt = is_interrupt
