"""Events to browsers: the bus between processes and the registry of declared events."""
