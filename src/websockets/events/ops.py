from fastapi import Depends

from src.core.realtime.rooms import OPS_ROOM
from src.deps.permission import require_permission
from src.websockets.params import SID, Server
from src.websockets.router import SocketRouter

router = SocketRouter(dependencies=[Depends(require_permission)], ordered=True)


@router.on("runs.watch")
async def watch(watch: bool = True, *, sid: SID, server: Server) -> None:
    """Watch all runs and schedules from now on; with false, no more.

    The server sends `run.changed`, `ops.overview`, `schedule.changed` and `schedule.deleted`. The overview names hosts,
    pools and stores, as runs name the workers' hosts: grant it to operators.
    """
    await (server.enter_room if watch else server.leave_room)(sid, OPS_ROOM)
