"""A provider on loopback with OpenAI's form; prints its port. Arguments: seconds before an answer, and of each chunk.

python -m tradewind.infra.bench.parts.ai.mock WAIT_S CHUNK_S
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from typing import Any

CHUNKS = 60
WORD = "calm "
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: "
BASE = {"id": "chatcmpl-1", "created": 1, "model": "gpt-5-mini"}
USAGE = {"prompt_tokens": 20, "completion_tokens": CHUNKS, "total_tokens": 20 + CHUNKS}


def whole() -> bytes:
    """Return a whole answer with its head."""
    message = {"role": "assistant", "content": WORD * CHUNKS}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    content = json.dumps({**BASE, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()
    return HEAD + f"application/json\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content


def chunks() -> list[bytes]:
    """Return the parts of an answer in chunks, head first."""

    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        content = f"data: {json.dumps({**BASE, 'object': 'chat.completion.chunk', 'choices': choices, **more})}\n\n"
        return f"{len(content):x}\r\n{content}\r\n".encode()

    words = [event([{"index": 0, "delta": {"content": WORD}, "finish_reason": None}]) for _ in range(CHUNKS)]
    end = event([{"index": 0, "delta": {}, "finish_reason": "stop"}]) + event([], usage=USAGE)
    done = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
    return [HEAD + b"text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n", *words, end + done]


async def main() -> None:
    """Answer until killed."""
    wait_s, chunk_s = map(float, sys.argv[1:])
    answer, parts = whole(), chunks()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                body = json.loads(await reader.readexactly(size))
                if wait_s:
                    await asyncio.sleep(wait_s)
                if not body.get("stream"):
                    writer.write(answer)
                    continue
                for part in parts:
                    writer.write(part)
                    await asyncio.sleep(chunk_s)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=2_048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
