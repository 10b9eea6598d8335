"""What an overview asks of broker, workers and beat.

- `queues.py`: counts the messages in queues
- `heartbeat.py`: signs of life of workers and beat
"""
