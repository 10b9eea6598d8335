"""Parts of the CRUD classes of documents.

`reads.py` has the queries, `bulk_writes.py` the operations on many documents. `filters.py` builds filters,
`aggregates.py` pipelines, and `links.py` describes links. `writes.py` stores changes by Beanie's rules,
`constraints.py` finds the field of a violated constraint.
"""
