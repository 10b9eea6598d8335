from tests.foreign.internal import Internal

INTERNALS = [
    Internal(
        "sqlalchemy.pool:AsyncAdaptedQueuePool",
        "_queue_class",
        "Set to a queue that serves callers in turn.",
        ("src/core/stores/fair_pool.py",),
    ),
    Internal(
        "sqlalchemy.orm.strategies",
        "_LazyLoader",
        "Base class of what happens to a relation that was not loaded.",
        ("src/models/unloaded.py",),
    ),
    Internal(
        "sqlalchemy.orm.strategies:_LazyLoader",
        "_invoke_raise_load",
        "Overridden to raise an error that says how to load the relation.",
        ("src/models/unloaded.py",),
        "(self, state, passive, lazy)",
    ),
]
