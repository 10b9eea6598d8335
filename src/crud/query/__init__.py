"""Parts of the CRUD base classes.

`list_queries.py`: list, page and cursor queries on any store; `cursor.py` signs their cursors; `constraints.py`
translates violated constraints. For SQL, `statement_cache.py` caches SELECT statements, `sql_clauses.py` builds WHERE
and ORDER BY clauses, `bulk_insert.py` inserts many rows at once. For MongoDB, `document_filters.py` builds filters, and
`document_writes.py` stores changes by Beanie's rules.
"""
