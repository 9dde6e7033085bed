"""The socket of the charging engine: a listener of its own for JSON-RPC over HTTP/1.1 (decision 13)."""

from __future__ import annotations

import asyncio

from omnicrm.domain.charging.door import Door
from omnicrm.views.jsonrpc_connection import Connection

MAX_CONNECTIONS = 512
CLOSE_SECONDS = 5.0
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


async def serve(door: Door, host: str, port: int) -> JsonRpcServer:
    """Listens on `host`:`port` (0 takes a free port). Raises OSError when the address is taken."""
    server = JsonRpcServer(door, host)
    await server.listen(port)
    return server


class JsonRpcServer:
    """The listener and its open connections; belongs to one event loop."""

    def __init__(self, door: Door, host: str) -> None:
        self.door = door
        self.host = host
        self.names = frozenset((*_LOCAL_NAMES, host.lower(), f"[{host.lower()}]"))
        # In the order of their arrival.
        self.connections: dict[Connection, None] = {}
        self.port = 0
        self._listener: asyncio.Server | None = None

    async def listen(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Connection(self, loop), self.host, port)
        self.port = self._listener.sockets[0].getsockname()[1]

    def admit(self, connection: Connection) -> bool:
        """Takes a new connection in. A full house sends away who has been idle longest; nobody idle, no room."""
        if len(self.connections) >= MAX_CONNECTIONS:
            idle = next((other for other in self.connections if other.idle), None)
            if idle is None:
                return False
            del self.connections[idle]
            idle.abort()
        self.connections[connection] = None
        return True

    async def close(self) -> None:
        """Stops listening, lets requests at work finish for a few seconds, then cuts the connections."""
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.connections):
            connection.finish()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CLOSE_SECONDS
        while self.connections and loop.time() < deadline:
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.abort()
