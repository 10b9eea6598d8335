"""Connection state recovery: a returning client gets its rooms and missed events back."""
