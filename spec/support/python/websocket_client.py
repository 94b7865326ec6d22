"""Talks to an echo of WebSockets over HTTP/1.1, as people's programs do, and prints what it saw as JSON.

Arguments, each of JSON: the URL, and the sizes of the messages.
"""

import asyncio
import json
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

PATIENCE = 60
LARGEST = 8 * 1024 * 1024


def context(url):
    if not url.startswith("wss:"):
        return None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def echoes(socket, message):
    await socket.send(message)
    return await socket.recv() == message


async def talk(url, sizes):
    options = {"ssl": context(url), "subprotocols": ["chat"], "max_size": LARGEST, "open_timeout": PATIENCE}
    try:
        async with connect(url, **options) as socket:
            told = {
                "subprotocol": socket.subprotocol,
                "texts": [await echoes(socket, "é" * size) for size in sizes],
                "binaries": [await echoes(socket, bytes(size)) for size in sizes],
            }
            await (await socket.ping())
            await socket.close(1000, "enough")
            return {**told, "close": [socket.close_code, socket.close_reason]}
    except InvalidStatus as refused:
        return {"status": refused.response.status_code, "body": (refused.response.body or b"").decode()}
    except ConnectionClosed as closed:
        return {"closed": str(closed)}


url, sizes = map(json.loads, sys.argv[1:])
print(json.dumps(asyncio.run(asyncio.wait_for(talk(url, sizes), PATIENCE))))
