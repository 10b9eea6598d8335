"""Tokens, login keys, password hashing and login throttles."""
