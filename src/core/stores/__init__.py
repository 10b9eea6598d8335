"""Clients of PostgreSQL, MongoDB and Redis, and what their failures mean."""
