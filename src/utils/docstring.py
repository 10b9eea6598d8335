import inspect


def first_line(documented: object) -> str:
    """The first line of a docstring; empty without one."""
    return (inspect.getdoc(documented) or "").partition("\n")[0]
