"""The Redis broker in bulk: one script fetches a batch of messages, one command acknowledges a batch.

Chosen by `CELERY_BULK_TRANSPORT`; without it kombu's own Redis transport serves the same queues. The door is
`src.queues.broker.transport:BulkTransport`.
"""
