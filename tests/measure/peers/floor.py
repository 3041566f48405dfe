"""The least that a client can do, in blocks of 10 ms: floor.py PORT."""

import base64
import json
import sys
import threading
from collections import deque

import pasimple
from websockets.sync.client import connect

RATE = 24_000
BLOCK = RATE // 100 * 2


def stream(direction, **buffers):
    return pasimple.PaSimple(direction, pasimple.PA_SAMPLE_S16LE, 1, RATE, "floor", **buffers)


class Speaker:
    """Writes block after block; what it has taken will be heard."""

    def __init__(self):
        self._lock = threading.Lock()
        self._queue = deque()
        self._item, self._taken = None, 0
        self._out = stream(pasimple.PA_STREAM_PLAYBACK, tlength=BLOCK * 2, prebuf=0, minreq=BLOCK)
        threading.Thread(target=self._play, daemon=True).start()

    def queue(self, item, pcm):
        with self._lock:
            if item != self._item:
                self._item, self._taken = item, 0
            self._queue.extend(pcm[n : n + BLOCK] for n in range(0, len(pcm), BLOCK))

    def cut(self):
        """Forgets what is queued; returns the item and the milliseconds of it that will have been heard."""
        with self._lock:
            playing = bool(self._queue)
            self._queue.clear()
            return (self._item, self._taken * 1000 // (RATE * 2)) if playing else None

    def _play(self):
        while True:
            with self._lock:
                block = self._queue.popleft() if self._queue else None
                self._taken += len(block or b"")
            self._out.write(block or bytes(BLOCK))


def listen(socket):
    mic = stream(pasimple.PA_STREAM_RECORD, fragsize=BLOCK)
    while True:
        audio = base64.b64encode(mic.read(BLOCK)).decode()
        socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))


def main():
    speaker = Speaker()
    with connect(f"ws://127.0.0.1:{sys.argv[1]}/v1/realtime", compression=None, proxy=None) as socket:
        socket.send(json.dumps({"type": "session.update", "session": {"type": "realtime"}}))
        threading.Thread(target=listen, args=[socket], daemon=True).start()
        for text in socket:
            event = json.loads(text)
            if event["type"] == "response.output_audio.delta":
                speaker.queue(event["item_id"], base64.b64decode(event["delta"]))
            elif event["type"] == "input_audio_buffer.speech_started" and (cut := speaker.cut()):
                item, ms = cut
                cut = {"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": ms}
                socket.send(json.dumps(cut))


main()
