"""The command line of operators and developers: `scripts/manage.sh`, a composition root like `src/main.py`.

`__main__.py` lists the commands; each module holds one of them, or one group. Commands import the application only when
they run: the settings are read at that moment, and `--help` needs none. A failure that an operator can repair is one
line and exit code 1 (`stores.py`); a traceback is a bug.
"""
