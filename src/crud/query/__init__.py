"""Parts of the CRUD base classes: here those for any store, in `sql/` and `documents/` those for one.

`list_queries.py` has list, page and cursor queries, and `cursor.py` signs their cursors. `row_shape.py` says which
fields to select, also of related rows. `filter_values.py` checks the values of filters, `checked_fields.py` the fields
of new and changed rows, `aggregates.py` the names of aggregates. `constraints.py` has the errors for violated
constraints, and `parts.py` splits what is too much for one statement.
"""
