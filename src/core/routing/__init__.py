"""Routes as permission codes, and an index that finds a route by its path."""
