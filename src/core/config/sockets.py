"""Limits of Socket.IO clients, and of connection state recovery."""

from pydantic import Field

from src.core.config.app import Names
from src.core.config.base import SettingsGroup


class SocketSettings(SettingsGroup):
    """Limits of one Socket.IO client, and what is kept for clients that reconnect."""

    transports: Names = Field(["websocket", "polling"], alias="SOCKETIO_TRANSPORTS")
    events_per_second: float = Field(100, gt=0, alias="SOCKETIO_EVENTS_PER_SECOND")
    burst: int = Field(200, ge=1, alias="SOCKETIO_BURST")
    running: int = Field(32, ge=1, alias="SOCKETIO_RUNNING_EVENTS")
    violations: int = Field(100, ge=1, alias="SOCKETIO_VIOLATIONS")
    queued_packets: int = Field(2000, ge=1, alias="SOCKETIO_QUEUED_PACKETS")
    queued_bytes: int = Field(4194304, ge=1024, alias="SOCKETIO_QUEUED_BYTES")
    attachments: int = Field(10, ge=1, alias="SOCKETIO_ATTACHMENTS")
    payload_bytes: int = Field(262144, ge=1024, alias="SOCKETIO_PAYLOAD_BYTES")
    connect_seconds: float = Field(20, gt=0, alias="SOCKETIO_CONNECT_SECONDS")
    unauthenticated_connections: int = Field(1000, ge=1, alias="SOCKETIO_UNAUTHENTICATED_CONNECTIONS")
    unauthenticated_per_address: int = Field(500, ge=1, alias="SOCKETIO_UNAUTHENTICATED_PER_ADDRESS")
    drain_seconds: float = Field(3, ge=0, alias="SOCKETIO_DRAIN_SECONDS")
    recovery_seconds: int = Field(120, ge=0, alias="SOCKETIO_RECOVERY_SECONDS")
    recovery_messages: int = Field(10_000, ge=1, alias="SOCKETIO_RECOVERY_MESSAGES")
