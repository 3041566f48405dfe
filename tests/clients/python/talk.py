"""Drives a server with the stock client of the openai package: talk.py PORT TOKEN."""

import asyncio
import base64
import json
import math
import struct
import sys

from openai import AsyncOpenAI
from websockets.exceptions import InvalidStatus

from schema import check

PORT, TOKEN, RATE = int(sys.argv[1]), sys.argv[2], 24_000
PCM = b"".join(struct.pack("<h", int(8000 * math.sin(2 * math.pi * 440 * n / RATE))) for n in range(RATE))
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather for a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
problems = []


def connect(token):
    client = AsyncOpenAI(api_key=token, base_url=f"http://127.0.0.1:{PORT}/v1")
    return client.realtime.connect(model="vivavoce-on-device", websocket_connection_options={"proxy": None})


async def until(connection, kind, where=lambda event: True, limit=30):
    """Returns the event, and all that came before it; a stray error fails."""
    seen = []

    async def read():
        while True:
            raw = await connection.recv_bytes()
            found = json.loads(raw)
            if not found["type"].startswith("vivavoce."):
                problems.extend(check(found, "server"))
            event = connection.parse_event(raw)
            seen.append(event)
            if event.type == kind and where(event):
                return event
            assert event.type != "error", event.to_dict()

    try:
        return await asyncio.wait_for(read(), limit), seen
    except asyncio.TimeoutError:
        raise AssertionError(f"no {kind}; there were {[event.type for event in seen]}") from None


def text_of(response):
    parts = (part for item in response.output if item.type == "message" for part in item.content)
    return "".join(part.text or part.transcript or "" for part in parts)


def user(text):
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def text_turn(c):
    await c.conversation.item.create(item=user("Hello there."))
    await c.response.create()
    done, seen = await until(c, "response.done")
    assert done.response.status == "completed" and text_of(done.response), done.to_dict()
    deltas = "".join(event.delta for event in seen if event.type == "response.output_text.delta")
    assert deltas.strip() == text_of(done.response).strip()


async def audio_turn(c):
    for n in range(0, len(PCM), 4800):
        await c.input_audio_buffer.append(audio=base64.b64encode(PCM[n : n + 4800]).decode("ascii"))
    await c.input_audio_buffer.commit()
    await until(c, "input_audio_buffer.committed")
    await c.response.create(response={"output_modalities": ["audio"]})
    _, seen = await until(c, "response.done")
    assert b"".join(base64.b64decode(e.delta) for e in seen if e.type == "response.output_audio.delta")


async def tool_turn(c):
    await c.session.update(session={"type": "realtime", "tools": [TOOL], "tool_choice": "auto"})
    await until(c, "session.updated")
    await c.conversation.item.create(item=user("What is the weather in Oslo? Use the tool."))
    await c.response.create()
    done, seen = await until(c, "response.done")
    call = next(item for item in done.response.output if item.type == "function_call")
    assert call.name == "get_weather" and json.loads(call.arguments) == {"city": "Oslo"}
    deltas = [event.delta for event in seen if event.type == "response.function_call_arguments.delta"]
    assert len(deltas) > 1 and "".join(deltas) == call.arguments
    output = {"type": "function_call_output", "call_id": call.call_id, "output": '{"temp_c": 7}'}
    await c.conversation.item.create(item=output)
    await c.response.create()
    done, _ = await until(c, "response.done")
    assert "temp_c" in text_of(done.response), done.to_dict()


async def beside(c):
    await c.response.create(
        response={
            "conversation": "none",
            "metadata": {"topic": "beside"},
            "tools": [],
            "output_modalities": ["text"],
            "input": [user("Say yes.")],
        }
    )
    ours = lambda event: (event.response.metadata or {}).get("topic") == "beside"
    done, seen = await until(c, "response.done", ours)
    assert done.response.conversation_id is None
    assert "conversation.item.added" not in {event.type for event in seen}


async def cancelling(c):
    await c.conversation.item.create(item=user("Tell me a very long story."))
    await c.response.create()
    created, _ = await until(c, "response.created")
    await until(c, "response.output_text.delta")
    await c.response.cancel(response_id=created.response.id)
    done, _ = await until(c, "response.done")
    assert done.response.status == "cancelled" and done.response.status_details.reason == "client_cancelled"
    await c.response.cancel(event_id="evt_x")
    error, _ = await until(c, "error")
    assert error.error.event_id == "evt_x", error.to_dict()


async def main():
    async with connect(TOKEN) as c:
        await until(c, "session.created")
        form = {"type": "audio/pcm", "rate": RATE}
        session = {
            "type": "realtime",
            "output_modalities": ["text"],
            "instructions": "Be brief.",
            "audio": {"input": {"format": form, "turn_detection": None}, "output": {"format": form}},
        }
        await c.session.update(session=session)
        updated, _ = await until(c, "session.updated")
        assert updated.session.output_modalities == ["text"] and updated.session.audio.input.turn_detection is None
        for step in (text_turn, audio_turn, tool_turn, beside, cancelling):
            await step(c)
    try:
        async with connect("wrong"):
            raise SystemExit("a wrong token was taken")
    except InvalidStatus as error:
        assert error.response.status_code == 401
    assert not problems, "\n".join(sorted(set(problems)))
    print("all turns were answered")


asyncio.run(main())
