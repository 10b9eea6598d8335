"""Queries in SQL behind the verbs of `BaseSQLModelCRUD`: conditions, order, projections, bulk inserts."""
