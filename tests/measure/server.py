"""A scripted Realtime server (the GA dialect) that stamps what it sends and receives with the monotonic clock."""

import asyncio
import base64
import itertools
import json
import time
from pathlib import Path

import numpy as np
from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

RATE = 24_000
DELTA_MS = 100
# Servers speak faster than they are heard.
DELTA_EVERY_S = 0.025
ANSWER_LIMIT_S = 5
SCRIPTS = {".js": "text/javascript", ".mjs": "text/javascript"}
FORMAT = {"type": "audio/pcm", "rate": RATE}


class Server:
    """One client at a time; `pages` maps the first part of a path to the folder that is served there."""

    def __init__(self, pages: dict[str, Path]):
        self.port = 0
        self.received = asyncio.Queue()
        self.appends = asyncio.Queue()
        self.configured = asyncio.Event()
        self._pages = pages
        self._socket = None
        self._numbers = itertools.count(1)
        self._last_item = None
        self._answering = False
        self._session = {
            "type": "realtime",
            "object": "realtime.session",
            "id": "sess_1",
            "model": "scripted",
            "output_modalities": ["audio"],
            "instructions": "",
            "tools": [],
            "audio": {
                "input": {"format": FORMAT, "turn_detection": None},
                "output": {"format": FORMAT, "voice": "alloy"},
            },
        }

    async def __aenter__(self):
        self._server = await serve(
            self._talk,
            "127.0.0.1",
            0,
            select_subprotocol=lambda _, offered: "realtime" if "realtime" in offered else None,
            process_request=self._page,
            compression=None,
            max_size=None,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def send(self, kind: str, **fields) -> float:
        """Sends an event; returns when."""
        text = json.dumps({"type": kind, "event_id": self._name("event"), **fields})
        now = time.monotonic()
        await self._socket.send(text)
        return now

    async def begin_speech(self) -> tuple[float, str]:
        """The user begins to speak; returns when that was said, and the item."""
        item = self._name("item")
        return await self.send("input_audio_buffer.speech_started", item_id=item, audio_start_ms=0), item

    async def end_speech(self, item: str):
        """The user's turn is over."""
        await self.send("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=0)
        await self.send("input_audio_buffer.committed", item_id=item, previous_item_id=self._last_item)
        content = [{"type": "input_audio", "transcript": None}]
        await self._add({"id": item, "type": "message", "role": "user", "status": "completed", "content": content})

    async def answer(self, pcm: bytes) -> tuple[float, asyncio.Task]:
        """Begins an answer; returns when its first audio was sent, and the task that speaks on."""
        first = asyncio.get_running_loop().create_future()
        speaking = asyncio.create_task(self._speak(pcm, first))
        return await asyncio.wait_for(first, ANSWER_LIMIT_S), speaking

    async def _speak(self, pcm, first):
        response, item = self._name("resp"), self._name("item")
        at = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
        body = {"id": response, "object": "realtime.response", "status_details": None, "metadata": None}
        message = {"id": item, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        await self.send("response.created", response={**body, "status": "in_progress", "output": []})
        await self.send("response.output_item.added", response_id=response, output_index=0, item=message)
        await self._add(message)
        await self.send("response.content_part.added", part={"type": "audio", "transcript": ""}, **at)
        self._answering = True
        size = RATE * DELTA_MS // 1000 * 2
        for start in range(0, len(pcm), size):
            delta = base64.b64encode(pcm[start : start + size]).decode()
            sent = await self.send("response.output_audio.delta", delta=delta, **at)
            if not first.done():
                first.set_result(sent)
            await asyncio.sleep(DELTA_EVERY_S)
            if not self._answering:
                break
        status = "completed" if self._answering else "cancelled"
        self._answering = False
        words = "A tone."
        await self.send("response.output_audio.done", **at)
        await self.send("response.output_audio_transcript.done", transcript=words, **at)
        await self.send("response.content_part.done", part={"type": "audio", "transcript": words}, **at)
        content = [{"type": "output_audio", "transcript": words}]
        message = {**message, "status": "completed" if status == "completed" else "incomplete", "content": content}
        await self.send("response.output_item.done", response_id=response, output_index=0, item=message)
        await self.send("conversation.item.done", item=message, previous_item_id=None)
        await self.send("response.done", response={**body, "status": status, "output": [message]})

    async def _add(self, item):
        await self.send("conversation.item.added", item=item, previous_item_id=self._last_item)
        self._last_item = item["id"]

    async def _talk(self, socket):
        self._socket = socket
        try:
            await self.send("session.created", session=self._session)
            async for text in socket:
                await self._handle(time.monotonic(), json.loads(text))
        except ConnectionClosed:
            pass

    async def _handle(self, now, event):
        kind = event["type"]
        if kind == "input_audio_buffer.append":
            samples = np.frombuffer(base64.b64decode(event["audio"]), np.int16)
            self.appends.put_nowait((now, int(np.abs(samples.astype(np.int32)).max(initial=0))))
            return
        self.received.put_nowait((now, event))
        if kind == "session.update":
            self._session |= event["session"]
            await self.send("session.updated", session=self._session)
            self.configured.set()
        elif kind == "conversation.item.truncate":
            same = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
            await self.send("conversation.item.truncated", **same)
        elif kind == "response.cancel":
            if not self._answering:
                error = {"type": "invalid_request_error", "code": "response_cancel_not_active", "param": None}
                error |= {"message": "None is active.", "event_id": event.get("event_id")}
                await self.send("error", error=error)
            self._answering = False

    def _name(self, kind):
        return f"{kind}_{next(self._numbers)}"

    def _page(self, _, request):
        """Serves files beside the socket: a browser wants its page from somewhere."""
        path = request.path.split("?")[0]
        if path.startswith("/v1/"):
            return None
        _, top, *rest = path.split("/")
        file = self._pages.get(top, Path("/nowhere")).joinpath(*rest)
        if ".." in rest or not file.is_file():
            return Response(404, "Not Found", Headers({"Content-Length": "0", "Connection": "close"}), b"")
        body = file.read_bytes()
        kind = SCRIPTS.get(file.suffix, "text/html")
        headers = Headers({"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"})
        return Response(200, "OK", headers, body)
