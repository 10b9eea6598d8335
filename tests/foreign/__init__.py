"""Private names of other libraries that `src` calls or overrides, one file per library.

`tests/test_foreign_internals.py` checks each entry against the installed version, and searches `src` for uses that no
file lists. After an upgrade it says which name changed, where we use it, and what for.

To add a name, append an `Internal` to the list `INTERNALS` of the library's file, or create a file for a new library.
"""
