"""Drives Python's websockets: plain connections to `/ws` and `/api/v3/ws/*`, several at a time by name."""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from driver import drive, tell

URL = sys.argv[1]


class Commands:
    def __init__(self):
        self.open_connections = {}
        self.readers = set()

    async def open(self, path, connection="first", headers=None, subprotocols=None):
        """Opens `path`; a refused upgrade is an event."""
        try:
            opened = await connect(
                URL + path, additional_headers=headers or {}, subprotocols=subprotocols, proxy=None
            )
        except InvalidStatus as error:
            response = error.response
            tell("refused", connection=connection, status=response.status_code, headers=dict(response.headers))
            return
        self.open_connections[connection] = opened
        tell("open", connection=connection, subprotocol=opened.subprotocol)
        reader = asyncio.ensure_future(self._read(connection, opened))
        self.readers.add(reader)
        reader.add_done_callback(self.readers.discard)

    async def send(self, message, connection="first"):
        await self.open_connections[connection].send(json.dumps(message))

    async def send_text(self, text, connection="first"):
        await self.open_connections[connection].send(text)

    async def ping_frame(self, connection="first"):
        """A ping of the WebSocket protocol itself; ends when its pong is there."""
        pong = await self.open_connections[connection].ping()
        await pong

    async def close(self, connection="first", code=1000):
        await self.open_connections[connection].close(code)

    async def _read(self, name, connection):
        try:
            while True:
                tell("message", connection=name, message=json.loads(await connection.recv()))
        except ConnectionClosed:
            tell("closed", connection=name, code=connection.close_code, reason=connection.close_reason)


asyncio.run(drive(Commands()))
