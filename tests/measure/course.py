"""What one client is put through, and what is seen of it."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from load import Load
from probe import Run
from server import RATE

START_S = 40
BURST_S = 1.5
ANSWER_S = 3
LONG_ANSWER_S = 10
WINDOW_S = 2
WINDOWS = 4
# 16 bits. A burst begins with the first sample that is louder, at the microphone's source as in an append.
BURST_LOUD = 1200
ANSWER_LOUD = 1500
ANSWER_LEVEL = 10_000
# How many of each do not count: the first opens what the others find open.
WARM_UP = 1


@dataclass
class Seen:
    """What was measured of a client; times in milliseconds."""

    uplink: list[float] = field(default_factory=list)
    downlink: list[float] = field(default_factory=list)
    stop: list[float] = field(default_factory=list)
    cut: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    pss: list[float] = field(default_factory=list)
    rss: list[float] = field(default_factory=list)
    append_ms: float | None = None
    gaps: list[float] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


class Course:
    """One client, from its first word to the server until it is killed."""

    def __init__(self, server, feed, mic, speaker, pid, runs, seen):
        self._server, self._feed, self._mic, self._speaker = server, feed, mic, speaker
        self._pid, self._runs = pid, runs
        self.seen = seen

    async def run(self):
        """Measures everything; raises what stands in the way."""
        await self._begin()
        for n in range(-WARM_UP, self._runs):
            await self._burst(counts=n >= 0)
        for n in range(-WARM_UP, self._runs):
            await self._turn(counts=n >= 0)
        await self._cost()

    async def _begin(self):
        try:
            async with asyncio.timeout(START_S):
                await self._server.configured.wait()
                for _ in range(20):
                    await self._server.appends.get()
        except TimeoutError:
            raise RuntimeError(f"it sent no sound within {START_S} s") from None
        # The speaker, too, may take its time to open.
        await asyncio.sleep(1)

    async def _burst(self, counts):
        await asyncio.sleep(random.uniform(0.3, 0.5))
        drain(self._server.appends)
        begin = time.monotonic()
        self._feed.burst()
        try:
            async with asyncio.timeout(BURST_S):
                arrived, peak = await self._server.appends.get()
                while peak <= BURST_LOUD:
                    arrived, peak = await self._server.appends.get()
        except TimeoutError:
            self.seen.words.append("a burst did not arrive")
            return
        await asyncio.sleep(0.1)
        onset = self._mic.onset_after(begin)
        if onset is None:
            self.seen.words.append("a burst was not heard at the source")
        elif counts:
            self.seen.uplink.append((arrived - onset) * 1000)

    async def _turn(self, counts):
        """The user speaks, the answer begins, the user speaks again and so cuts it."""
        _, item = await self._server.begin_speech()
        await asyncio.sleep(0.2)
        await self._server.end_speech(item)
        await asyncio.sleep(random.uniform(0.3, 0.4))
        drain(self._server.received)
        began, speaking = await self._server.answer(tone(ANSWER_S))
        await asyncio.sleep(random.uniform(1.0, 1.5))
        said, item = await self._server.begin_speech()
        truncate = await self._truncate()
        await asyncio.sleep(0.5)
        while (runs := self._speaker.between(began, time.monotonic())) and time.monotonic() - runs[-1].ended < 0.3:
            if time.monotonic() > began + ANSWER_S + 3:
                break
            await asyncio.sleep(0.1)
        await self._server.end_speech(item)
        await asyncio.wait_for(speaking, 5)
        if counts:
            self._note(began, said, truncate, runs)

    def _note(self, began, said, truncate, runs):
        if not runs:
            self.seen.words.append("an answer was not heard")
            return
        heard = sum(run.frames for run in runs) / 48
        self.seen.gaps += gaps(runs)
        self.seen.downlink.append((runs[0].begun - began) * 1000)
        if heard >= ANSWER_S * 1000 - 20:
            self.seen.words.append("an answer played to its end though the user spoke")
            return
        self.seen.stop.append((runs[-1].ended - said) * 1000)
        if truncate is None:
            self.seen.words.append("an answer was cut without a word of how much was heard")
        else:
            self.seen.cut.append(truncate["audio_end_ms"] - heard)

    async def _truncate(self):
        try:
            async with asyncio.timeout(1):
                while True:
                    _, event = await self._server.received.get()
                    if event["type"] == "conversation.item.truncate":
                        return event
        except TimeoutError:
            return None

    async def _cost(self):
        began, speaking = await self._server.answer(tone(LONG_ANSWER_S))
        await asyncio.sleep(1)
        drain(self._server.appends)
        load = Load(self._pid)
        for _ in range(WINDOWS):
            begin = time.monotonic()
            await asyncio.sleep(WINDOW_S)
            self.seen.cpu.append(load.cpu_seconds() / (time.monotonic() - begin) * 100)
            pss, rss = load.memory()
            load.cpu_seconds()
            self.seen.pss.append(pss)
            self.seen.rss.append(rss)
        appends = drain(self._server.appends)
        self.seen.append_ms = WINDOWS * WINDOW_S * 1000 / appends if appends else None
        await asyncio.wait_for(speaking, 5)
        await asyncio.sleep(max(0.0, began + LONG_ANSWER_S + 0.5 - time.monotonic()))
        runs = self._speaker.between(began, time.monotonic())
        self.seen.gaps += gaps(runs)
        lost = LONG_ANSWER_S * 1000 - sum(run.frames for run in runs) / 48
        if lost > 20:
            self.seen.words.append(f"{lost:.0f} ms of the long answer were not heard")


def tone(seconds: float) -> bytes:
    """Returns a tone of 1 kHz, loud from its first samples."""
    wave = ANSWER_LEVEL * np.sin(2 * np.pi * 1000 * np.arange(int(RATE * seconds)) / RATE)
    return wave.astype(np.int16).tobytes()


def gaps(runs: list[Run]) -> list[float]:
    """Returns the silences between stretches of an answer, in milliseconds."""
    return [(after.begun - before.ended) * 1000 for before, after in pairwise(runs)]


def drain(queue: asyncio.Queue) -> int:
    """Empties a queue; returns how much was in it."""
    count = queue.qsize()
    for _ in range(count):
        queue.get_nowait()
    return count
