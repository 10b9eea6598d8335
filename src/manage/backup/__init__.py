"""`manage.sh backup` and `manage.sh restore`: one directory with the contents of all stores.

    command.py      the commands, the manifest, and what a target must be
    postgresql.py   postgresql/<table>.copy, all of one snapshot; databases/<name>/<table>.copy of SQL_DATABASES
    mongodb.py      mongodb/<collection>.bson
    redis.py        redis.jsonl, logins; broker.jsonl, queues
    s3.py           s3/<key>

PostgreSQL comes first: what its rows refer to is in the other stores by then. Rows, documents and keys are sorted, so
two backups of the same contents are the same files, but for the manifest.
"""

from src.manage.backup.command import back_up, restore

__all__ = ["back_up", "restore"]
