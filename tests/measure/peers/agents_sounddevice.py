"""The `openai-agents` package with sounddevice, as its own command line demo combines them: agents_sounddevice.py URL.

As there: blocks of 40 ms, the playback tracker fed from the output callback, the server's interruption switched off,
and no sound sent while an answer plays.
"""

import asyncio
import os
import sys
from collections import deque

import numpy as np
import sounddevice

os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"

from agents.realtime import RealtimeAgent, RealtimePlaybackTracker, RealtimeRunner  # noqa: E402

RATE = 24_000
BLOCK = RATE * 40 // 1000


class Speaker:
    """Plays what is queued, and tells the tracker what it has handed to the device."""

    def __init__(self, tracker):
        self._tracker = tracker
        self._queue = deque()
        self._interrupted = False
        self._stream = sounddevice.OutputStream(
            samplerate=RATE, channels=1, dtype="int16", blocksize=BLOCK, callback=self._fill
        )
        self._stream.start()

    @property
    def is_playing(self):
        return bool(self._queue)

    def play(self, item, index, data):
        self._queue.append((item, index, np.frombuffer(data, np.int16)))

    def interrupt(self):
        self._interrupted = True

    def _fill(self, out, frames, _time, _status):
        out.fill(0)
        if self._interrupted:
            self._queue.clear()
            self._interrupted = False
            return
        done = 0
        while done < frames and self._queue:
            item, index, samples = self._queue.popleft()
            part, rest = samples[: frames - done], samples[frames - done :]
            out[done : done + len(part), 0] = part
            done += len(part)
            self._tracker.on_play_bytes(item, index, part.tobytes())
            if len(rest):
                self._queue.appendleft((item, index, rest))


async def listen(session, speaker):
    mic = sounddevice.InputStream(samplerate=RATE, channels=1, dtype="int16")
    mic.start()
    while True:
        if mic.read_available < BLOCK:
            await asyncio.sleep(0.01)
            continue
        data, _ = mic.read(BLOCK)
        if not speaker.is_playing:
            await session.send_audio(data.tobytes())
        await asyncio.sleep(0)


async def main():
    # PortAudio reaches PulseAudio through ALSA's plugin of this name.
    sounddevice.default.device = "pulse"
    tracker = RealtimePlaybackTracker()
    speaker = Speaker(tracker)
    turns = {"type": "semantic_vad", "interrupt_response": False}
    config = {
        "url": sys.argv[1],
        "api_key": "none",
        "playback_tracker": tracker,
        "initial_model_settings": {"turn_detection": turns},
    }
    runner = RealtimeRunner(RealtimeAgent(name="measured", instructions="Be brief."))
    async with await runner.run(model_config=config) as session:
        listening = asyncio.create_task(listen(session, speaker))
        async for event in session:
            if event.type == "audio":
                speaker.play(event.item_id, event.content_index, event.audio.data)
            elif event.type == "audio_interrupted":
                speaker.interrupt()
            elif event.type == "error":
                print(event.error, flush=True)
        await listening


asyncio.run(main())
