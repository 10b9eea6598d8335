"""Clients of PostgreSQL (and MySQL), MongoDB and Redis.

`sql.py` engines and sessions · `documents.py` MongoDB and Beanie · `redis_client.py` Redis, with typed values
(`redis_values.py`) and Lua scripts (`redis_script.py`) · `cache.py` a cache with tags

`Resources` opens one client of each store per process; handlers get them by `src/deps/database.py`. `errors.py` decides
which error of a client means "the store is unavailable" (503).
"""
