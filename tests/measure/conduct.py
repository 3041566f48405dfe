"""Takes one client after the other through the course."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from clients import FLOOR, PEERS, clients
from course import ANSWER_LOUD, BURST_LOUD, Course, Seen
from feed import Feed
from probe import Probe
from server import Server
from table import report

CLIENT_LIMIT_S = 300
KILL_S = 3


async def conduct(args):
    """Measures all that were asked for, and prints the table."""
    # A thread that hears something shall say so at once.
    sys.setswitchinterval(0.0005)
    # Browsers open connections on which they say nothing.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    ears = Feed("rig_feed"), Probe("rig_mic", BURST_LOUD), Probe("rig_speaker.monitor", ANSWER_LOUD)
    pages = {"peers": PEERS, "js": args.clients / "js" / "node_modules"}
    rows = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        for name in [client.name for client in clients(0, args.program, args.clients, Path(home))]:
            if not wanted(name, args.only):
                continue
            async with Server(pages) as server:
                found = clients(server.port, args.program, args.clients, Path(home))
                client = next(client for client in found if client.name == name)
                rows[name] = await measure(client, server, ears, args.runs, Path(home) / "log")
            print(f"{name}: done", file=sys.stderr, flush=True)
    report(rows, args.json)


def wanted(name, only):
    return only is None or name == FLOOR or any(name.startswith(part) for part in only.split(","))


async def measure(client, server, ears, runs, log) -> Seen:
    """Returns what was seen of one client, and why it was not all."""
    seen = Seen()
    try:
        process = start(client, log)
    except OSError as error:
        seen.words.append(f"it does not start: {error}")
        return seen
    try:
        course = Course(server, *ears, process.pid, runs, seen)
        await first_of(course.run(), died(process), asyncio.sleep(CLIENT_LIMIT_S))
    except Exception as error:
        seen.words.append(f"{error or type(error).__name__}; its last words: {last_words(log)}")
    finally:
        kill(process)
    return seen


def start(client, log):
    environment = {**os.environ, **client.environment}
    with log.open("wb") as out:
        return subprocess.Popen(
            client.command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )


async def first_of(course, *others):
    """Runs the course, unless one of the others ends first."""
    tasks = [asyncio.ensure_future(one) for one in (course, *others)]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if tasks[0] in done:
        return tasks[0].result()
    raise RuntimeError("it ended before its time" if tasks[1] in done else f"not done within {CLIENT_LIMIT_S} s")


async def died(process):
    while process.poll() is None:
        await asyncio.sleep(0.1)


def kill(process):
    """Ends a client and all that it started."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        family = []
    for stop in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, stop)
        except ProcessLookupError:
            pass
        try:
            process.wait(KILL_S)
        except subprocess.TimeoutExpired:
            pass
    for child in family:
        try:
            child.kill()
        except psutil.Error:
            pass


def last_words(log):
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])[-400:] or "none"
