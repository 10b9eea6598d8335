"""Pure ASGI middlewares, which `src/main.py` installs.

From the outside in: `RequestMiddleware` (request id, security headers, access log), CORS, `UnexpectedErrorMiddleware`
(time and size of requests, errors). Errors of routes are rendered by the handlers in `errors.py`. `http_protocol.py`
belongs to the web server: it limits what arrives before a middleware is called.
"""
