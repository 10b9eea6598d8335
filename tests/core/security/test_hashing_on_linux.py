"""Where threads have a niceness each; elsewhere it is the process's, and nothing of this is collected."""

import os
import threading

from src.core.security.hashing import HashPool


async def test_row_27_hashes_stand_back_for_the_loop() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    pool = HashPool(1, 1)
    assert await pool.run(niceness) > niceness()
    pool.close()
