"""Tokens, API keys, login encryption, password hashing, rate limits of logins, and the audit entry of a request.

`Resources` holds one of each: `tokens` signs and verifies access and refresh tokens, and is the only one to check their
expiry; `credentials` decrypts passwords at login; `hashing` runs hashes in a thread pool; `throttle` limits failed
logins.
"""
