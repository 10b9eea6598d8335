from tests.foreign.internal import Internal

BACKEND = "celery.backends.redis:RedisBackend"
RESULTS = ("src/queues/results/backend.py",)
POOL = ("src/queues/pool/asyncio_pool.py",)
CONSUMER = ("src/queues/broker/consumer.py",)
DEAD_LETTER = "Overridden: keeps the message as a dead letter."
TASK = ("src/queues/task.py",)
OFF_LOOP = "Blocks, so that the asyncio pool runs it on a thread."

INTERNALS = [
    Internal(
        "celery._state",
        "_task_stack",
        "The stack of `current_task`, looked up by run instead of by thread.",
        TASK,
    ),
    Internal(
        "celery.utils.threads:LocalStack",
        "__ident_func__",
        "Set on both stacks, so that all code of a run finds the same task and request.",
        TASK,
    ),
    Internal(
        "celery.app.task:Task",
        "__header__",
        "Set to a signature without injected parameters, which `apply_async` checks arguments by.",
        TASK,
    ),
    Internal(
        "celery.app.task:Task",
        "_dump_pydantic_arguments",
        "Says that the task was declared with `pydantic=True`.",
        TASK,
    ),
    Internal(
        "celery.app.autoretry",
        "_orig_run",
        "The function that `autoretry_for` wraps, whose signature the catalog shows.",
        ("src/queues/publisher.py",),
    ),
    Internal(
        "celery.concurrency.base:BasePool",
        "_get_info",
        "Overridden: `celery inspect stats` shows running and waiting tasks.",
        POOL,
        "(self)",
    ),
    Internal(
        "celery.concurrency.base:BasePool",
        "on_apply",
        "Overridden: takes a task from the consumer. Its keywords are those of `celery.worker.request`.",
        POOL,
        "(self, *args, **kwargs)",
    ),
    Internal(
        "celery.concurrency.base:BasePool",
        "terminate_job",
        "Overridden: a run is ended through its handle, since all have the same process id.",
        POOL,
        "(self, pid, signal=None)",
    ),
    Internal(
        "celery.concurrency.prefork",
        "_run_ready_callbacks",
        "Runs acknowledgements that are left to the hub's next turn.",
        POOL,
        "(hub)",
    ),
    Internal(
        "celery.concurrency.base:BasePool",
        "_pool",
        "The prefork pool's processes; None in other pools.",
        CONSUMER,
    ),
    Internal("billiard.pool:Pool", "_cache", "The prefork pool's runs that have not ended.", CONSUMER),
    Internal("billiard.pool:ApplyResult", "_accepted", "Set for a run that a process has received.", CONSUMER),
    Internal("billiard.pool:ApplyResult", "_write_to", "The process that a run was written to.", CONSUMER),
    Internal(
        "celery.worker.consumer:Consumer",
        "on_close",
        "Overridden: keeps runs that a process has received.",
        CONSUMER,
        "(self)",
    ),
    Internal(
        "celery.worker.state",
        "should_terminate",
        "Set to shut the worker down from the pool.",
        POOL,
    ),
    Internal(
        "celery.beat:Scheduler",
        "_ensure_connected",
        "Overridden: the log names the broker that beat waits for.",
        ("src/queues/scheduler/database_scheduler.py",),
        "(self)",
    ),
    Internal(
        "celery.app.trace",
        "traceback_clear",
        "Replaced: it ends coroutines of other runs that got the same error.",
        ("src/queues/pool/worker.py",),
        "(exc=None)",
    ),
    Internal(
        "celery.worker.consumer:Consumer",
        "bucket_for_task",
        "Overridden: `rate_limit` is not the worker's own if the task has a `rate_limit_key`.",
        CONSUMER,
        "(self, type)",
    ),
    Internal(
        "celery.worker.consumer:Consumer",
        "create_task_handler",
        DEAD_LETTER,
        CONSUMER,
        "(self, promise=<class 'vine.promises.promise'>)",
    ),
    Internal("celery.worker.consumer:Consumer", "on_unknown_task", DEAD_LETTER, CONSUMER, "(self, body, message, exc)"),
    Internal("celery.worker.consumer:Consumer", "on_unknown_message", DEAD_LETTER, CONSUMER, "(self, body, message)"),
    Internal("celery.worker.consumer:Consumer", "on_invalid_task", DEAD_LETTER, CONSUMER, "(self, body, message, exc)"),
    Internal("celery.worker.consumer:Consumer", "on_decode_error", DEAD_LETTER, CONSUMER, "(self, message, exc)"),
    Internal(
        BACKEND,
        "_store_result",
        "Overridden: stores results in batches, by one script.",
        RESULTS,
        "(self, task_id, result, state, traceback=None, request=None, **kwargs)",
    ),
    Internal(
        BACKEND,
        "_get_result_meta",
        "Builds what is stored of a result.",
        RESULTS,
        "(self, result, state, traceback, request, format_date=True, encode=False)",
    ),
    Internal(BACKEND, "_MAX_STR_VALUE_SIZE", "The size from which Celery refuses a result.", RESULTS),
    Internal(
        BACKEND,
        "_fail_chain",
        OFF_LOOP,
        RESULTS,
        "(self, chain, exc, traceback=None, store_result=True, state='FAILURE')",
    ),
    Internal(
        BACKEND,
        "_call_task_errbacks",
        "Wrapped: calls of coroutine tasks wait for their results. " + OFF_LOOP,
        ("src/queues/celery.py", *RESULTS),
        "(self, request, exc, traceback)",
    ),
    Internal(
        "celery.app.base:Celery",
        "_task_from_fun",
        "Overridden: a task is created under the lock below. Celery makes and binds it without one.",
        ("src/queues/celery.py",),
        "(self, fun, name=None, base=None, bind=False, pydantic=False, pydantic_strict=False, pydantic_context=None, "
        "pydantic_dump_kwargs=None, **options)",
    ),
    Internal(
        "celery.app.base:Celery",
        "_finalize_mutex",
        "The lock of `finalize`, which binds all tasks.",
        ("src/queues/celery.py",),
    ),
    Internal(
        "celery.app.base:Celery",
        "_get_backend",
        "Overridden: error callbacks of each backend may be coroutine tasks.",
        ("src/queues/celery.py",),
        "(self)",
    ),
    Internal(
        BACKEND,
        "on_chord_part_return",
        OFF_LOOP,
        RESULTS,
        "(self, request, state, result, propagate=None, **kwargs)",
    ),
    Internal(
        BACKEND,
        "on_task_call",
        "Overridden: sending a task subscribes to nothing.",
        RESULTS,
        "(self, producer, task_id)",
    ),
]
