"""Parts of the CRUD classes of tables.

`reads.py` has the queries, `writes.py` and `bulk_insert.py` the statements that change many rows. `clauses.py` and
`json_paths.py` build WHERE and ORDER BY clauses, `statement_cache.py` caches SELECT statements, `aggregates.py` builds
those of groups. `relations.py` describes relations, `nested_rows.py` loads and `nested_create.py` creates related rows.
`constraints.py` finds the field of a violated constraint.
"""
