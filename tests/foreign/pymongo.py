from tests.foreign.internal import Internal

INTERNALS = [
    Internal(
        "pymongo.asynchronous.mongo_client:AsyncMongoClient",
        "_retry_internal",
        "Every operation runs in it, so that one override protects all of them from cancellation.",
        ("src/core/stores/documents.py",),
        "(self, func, session, bulk, operation, is_read=False, address=None, read_pref=None, retryable=False, "
        "operation_id=None, is_run_command=False, is_aggregate_write=False)",
    ),
]
