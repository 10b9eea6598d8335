"""Only collected on Linux, where each thread has a niceness."""

import os
import threading

from src.core.security.hashing import HashPool


async def test_row_27_hashes_have_a_lower_priority_than_the_loop() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    pool = HashPool(1, 1)
    assert await pool.run(niceness) > niceness()
    pool.close()
