"""An ear at a PulseAudio source: when it was loud, and for how many frames."""

import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
import pasimple

RATE = 48_000
BLOCK = RATE * 5 // 1000
# A tone of 1 kHz crosses zero in less; a longer silence is a gap.
GAP = RATE // 1000
# What arrived late is put where it belongs by what arrived in time within these blocks (two seconds).
RECENT = 400


@dataclass
class Run:
    """A stretch of loud frames, from the first to the last."""

    begun: float
    ended: float
    frames: int


class Probe:
    """Listens from now on; a sample is loud above `threshold` (16 bits)."""

    def __init__(self, device: str, threshold: int):
        self.runs: list[Run] = []
        self._threshold = threshold
        self._offsets = deque(maxlen=RECENT)
        self._frame = 0
        self._last_loud = -RATE
        self._lock = threading.Lock()
        self._stream = pasimple.PaSimple(
            pasimple.PA_STREAM_RECORD,
            pasimple.PA_SAMPLE_S16LE,
            1,
            RATE,
            "probe",
            device_name=device,
            fragsize=BLOCK * 2,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def onset_after(self, moment: float) -> float | None:
        """Returns when the first loud stretch after `moment` began."""
        with self._lock:
            return next((run.begun for run in self.runs if run.begun >= moment), None)

    def between(self, begin: float, end: float) -> list[Run]:
        """Returns the loud stretches that began within."""
        with self._lock:
            return [Run(run.begun, run.ended, run.frames) for run in self.runs if begin <= run.begun < end]

    def _listen(self):
        while True:
            data = self._stream.read(BLOCK * 2)
            self._offsets.append(time.monotonic() - (self._frame + BLOCK) / RATE)
            loud = np.flatnonzero(np.abs(np.frombuffer(data, np.int16).astype(np.int32)) > self._threshold)
            if loud.size:
                with self._lock:
                    self._note(loud + self._frame, min(self._offsets))
            self._frame += BLOCK

    def _note(self, frames, offset):
        for part in np.split(frames, np.flatnonzero(np.diff(frames) > GAP) + 1):
            first, last = int(part[0]), int(part[-1])
            if first - self._last_loud > GAP:
                self.runs.append(Run(first / RATE + offset, 0.0, 0))
                self._last_loud = first - 1
            run = self.runs[-1]
            run.ended = last / RATE + offset
            run.frames += last - self._last_loud
            self._last_loud = last
