"""What is changed in python-socketio and python-engineio: limits, recovery, sessions, transports."""
