"""What processes tell about themselves, kept in Redis for an hour at a fixed cost.

Every few seconds each process writes its report and what it has counted in the current minute: three commands, one
round trip. A request costs nothing: the counters are those of Prometheus, in the memory of the process.

- `report.py`: the report of a process, its keys in Redis, and the commands that write it
- `figures.py`: requests and events of a minute, read from the counters; sums and percentiles
- `process_metrics.py`: the metrics that every process has
- `metrics_server.py`: the port that serves metrics of a process without HTTP
- `heartbeat.py`: the thread that reports a process without an event loop of its own, such as a worker or beat
"""
