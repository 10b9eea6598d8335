"""Pure functions that know nothing of the application: text, files, time, tokens, hashes."""
