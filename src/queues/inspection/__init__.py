"""What an overview asks of broker, workers and beat.

- `queues.py`: the queues of the broker
- `dead_letters.py`: finds, resends and drops dead letters in Redis
- `heartbeat.py`: signs of life of workers and beat
- `measured_request.py`, `task_metrics.py`: what workers and beat count, and the port that serves it
- `child_metrics.py`: metrics that the processes of the prefork pool send to it
"""
