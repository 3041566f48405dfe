"""The voice at the microphone: faint noise for ever, and a burst of a tone when asked."""

import threading

import numpy as np
import pasimple

RATE = 48_000
BLOCK = RATE // 100
BURST_BLOCKS = 8
LOUD = 12_000
# Some recorders wait for a sample that is not zero.
NOISE = 30


class Feed:
    """Plays into a sink with a buffer of 20 ms; pipes to other programs would hide more than a second."""

    def __init__(self, device: str):
        self._left = 0
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
        """Sounds 80 ms of 1 kHz."""
        self._left = BURST_BLOCKS

    def _play(self):
        random = np.random.default_rng(1)
        tone = (LOUD * np.sin(2 * np.pi * 1000 * np.arange(BLOCK) / RATE)).astype(np.int16)
        while True:
            block = random.integers(-NOISE, NOISE, BLOCK, dtype=np.int16)
            if self._left:
                self._left -= 1
                block += tone
            self._stream.write(block.tobytes())
