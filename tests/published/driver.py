"""What the drivers in Python share: commands come as JSON lines on standard input, answers and events leave as JSON
lines on standard output. Everything else that a driver has to say goes to standard error."""

import asyncio
import json
import sys


def tell(event, **fields):
    """Prints an event of the client."""
    _print({"event": event, **fields})


def refusal(error):
    """Code and message of whatever a client raises."""
    return {"code": getattr(error, "code", None), "message": getattr(error, "message", None) or str(error)}


async def drive(commands):
    """Carries commands `{id, command, ...}` out as they come, until the input ends."""
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    running = set()
    while line := await reader.readline():
        task = asyncio.ensure_future(_carry_out(commands, json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)


async def _carry_out(commands, given):
    reply, command = given.pop("id"), given.pop("command")
    try:
        result = await getattr(commands, command)(**given)
        _print({"reply": reply, "result": result})
    except Exception as error:  # Whatever it is, the test is told.
        _print({"reply": reply, "error": refusal(error)})


def _print(line):
    print(json.dumps(line), flush=True)
