"""The voice at the microphone: faint noise for ever, and a burst of a tone when asked."""

import random
import threading

import numpy as np
import pasimple

RATE = 48_000
BLOCK = RATE // 100
BURST_S = 0.08
LOUD = 12_000
# Some recorders wait for a sample that is not zero.
NOISE = 30


class Feed:
    """Plays into a sink with a buffer of 20 ms; pipes to other programs would hide more than a second."""

    def __init__(self, device: str):
        self._burst = np.zeros(0, np.int16)
        self._stream = pasimple.PaSimple(
            pasimple.PA_STREAM_PLAYBACK,
            pasimple.PA_SAMPLE_S16LE,
            1,
            RATE,
            "feed",
            device_name=device,
            tlength=BLOCK * 4,
            prebuf=0,
            minreq=BLOCK,
        )
        threading.Thread(target=self._play, daemon=True).start()

    def burst(self):
        """Sounds 80 ms of 1 kHz, from anywhere within the next block: a client's blocks are in step with ours."""
        tone = LOUD * np.sin(2 * np.pi * 1000 * np.arange(int(RATE * BURST_S)) / RATE)
        self._burst = np.concatenate([np.zeros(random.randrange(BLOCK)), tone]).astype(np.int16)

    def _play(self):
        noise = np.random.default_rng(1)
        while True:
            block = noise.integers(-NOISE, NOISE, BLOCK, dtype=np.int16)
            part, self._burst = self._burst[:BLOCK], self._burst[BLOCK:]
            block[: len(part)] += part
            self._stream.write(block.tobytes())
