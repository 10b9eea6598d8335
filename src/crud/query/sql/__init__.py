"""Parts of the CRUD classes of tables.

`reads.py` has the queries, `bulk_writes.py` the operations on many rows, with the statements of `bulk_insert.py` and
`bulk_update.py`. `clauses.py` and `json_paths.py` build WHERE and ORDER BY clauses, `statement_cache.py` caches SELECT
statements, `aggregates.py` builds those of groups. `relations.py` describes relations, `nested_rows.py` loads and
`nested_create.py` creates related rows. `constraints.py` finds the field of a violated constraint.
"""
