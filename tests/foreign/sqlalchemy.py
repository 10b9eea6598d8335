from tests.foreign.internal import Internal

INTERNALS = [
    Internal(
        "sqlalchemy.pool:AsyncAdaptedQueuePool",
        "_queue_class",
        "Set to a queue that serves callers in turn.",
        ("src/core/stores/fair_pool.py",),
    ),
]
