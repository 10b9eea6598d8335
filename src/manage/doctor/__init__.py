"""`manage.sh doctor`: checks settings, stores and processes; each check is one line, green or with what to do.

    command.py      the command, and the list of all checks
    check.py        a check, and how checks run
    settings.py     settings and keys, before any store is opened
    stores.py       servers, connections, clocks and disk
    contents.py     what a deployment creates: schema, indexes, bucket
    reachable.py    what browsers and TLS need: CORS, certificates
    logins.py       what logins need besides: the mail server, OpenID providers
    processes.py    API, workers, beat, and what they do

To add a check, write a function that returns what is fine or raises `CheckError`, and list it in `all_checks`.
"""

from src.manage.doctor.command import examine

__all__ = ["examine"]
