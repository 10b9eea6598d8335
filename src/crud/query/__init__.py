"""Parts of the CRUD base classes.

`list_queries.py`: list, page and cursor queries on any store; `cursor.py` signs their cursors. For SQL only,
`statement_cache.py` caches SELECT statements, `sql_clauses.py` builds WHERE and ORDER BY clauses, `bulk_insert.py`
inserts many rows at once.
"""
