"""What an ended run leaves behind."""

import subprocess
import sys

# In a process of its own: what other tests have left refers to nothing here.
SCRIPT = """
import asyncio, gc, weakref
from src.queues.pool.greenlet_bridge import await_in_bridge
from src.queues.pool.task_execution import Callbacks, TaskExecution

async def main():
    reported, ended = [], asyncio.Event()
    execution = TaskExecution(
        lambda: await_in_bridge(asyncio.sleep(0, "result")),
        "label",
        Callbacks(done=reported.append),
        lambda call, *args: call(*args),
        (60, 30),
        None,
    )
    execution.start(asyncio.get_running_loop(), lambda _execution: ended.set())
    await ended.wait()
    reference = weakref.ref(execution)
    del execution
    await asyncio.sleep(0)
    print(reported, reference())

gc.disable()
asyncio.run(main())
"""


def test_an_ended_run_leaves_nothing_to_the_collector() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert (done.stdout, done.stderr) == ("['result'] None\n", "")
