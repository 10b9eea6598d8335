"""Client of the REST API and the Socket.IO events.

What is written by hand knows no type of the API, and works as it is: `session` logs in and refreshes,
`upload` sends files, `socket` stays connected. `generate.py` writes the rest: `models`, `api` with a method for each
operation, and `events` with a method for each event.
"""
