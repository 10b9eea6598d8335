NAME = "Async-FastAPI-MultiDB"
"""The project's name. `scripts/manage.sh rename` changes it, here and in the files that cannot import it."""
