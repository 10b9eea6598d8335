"""A proxy that speaks TLS: `python -m tests.queues.broker.tls_proxy PORT TARGET_PORT CERTIFICATE`."""

import asyncio
import ssl
import sys
from contextlib import suppress

from scripts.local.ports import LOOPBACK


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # either side may leave
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def serve(port: int, target: int, certificate: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_target, to_target = await asyncio.open_connection(LOOPBACK, target)
        await asyncio.gather(pump(reader, to_target), pump(from_target, writer))

    async with await asyncio.start_server(connect, LOOPBACK, port, ssl=context) as server:
        print("serving", flush=True)  # noqa: T201 - for the test that started it
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
