"""Settings of the ways to log in beside a password, and of e-mail, which some of them need; `auth.py` has the rest."""
