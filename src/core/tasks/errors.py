class PermanentError(Exception):
    """The run of a task fails, and repeating it cannot help: a copy of its message is kept as a dead letter.

    The message is shown in the run history: it must hold no secrets and no personal data.
    """
