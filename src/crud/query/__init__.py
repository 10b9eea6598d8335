"""Parts of the CRUD base classes.

`list_queries.py`: list, page and cursor queries on any store; `cursor.py` signs their cursors; `row_shape.py` says
which fields to select, also of related rows; `constraints.py` translates violated constraints.

For SQL, `sql_reads.py` has the queries, `statement_cache.py` caches SELECT statements, `sql_clauses.py` and
`json_paths.py` build WHERE and ORDER BY clauses, `relations.py` describes relations, `nested_rows.py` loads and
`nested_create.py` creates related rows, `bulk_insert.py` inserts many rows at once.

For MongoDB, `document_reads.py` has the queries, `document_filters.py` builds filters, `links.py` describes links, and
`document_writes.py` stores changes by Beanie's rules.
"""
