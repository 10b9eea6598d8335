"""How an API process ends without losing a request.

- `draining.py`: after SIGTERM `/readyz` is 503, and everything is served until load balancers have noticed
- `listeners.py`: then new connections are no longer accepted, so that none is reset when the socket closes
"""
