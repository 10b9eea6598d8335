"""What requests are routed to.

RouteRegistry   permission codes of routes and events, and the check that nothing is unguarded
RouteIndex      finds the route of a path, and runs it on `core.injection.http`
"""
