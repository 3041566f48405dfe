"""Measures sound clients of a Realtime server against each other. Runs inside tests/desktop/rig.sh:

bash tests/desktop/rig.sh python3 tests/measure/measure.py --program vivavoce-cli --clients FOLDER

FOLDER holds `python` and `js/node_modules`, installed from the lists beside this file.
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLIENT_LIMIT_S = 300
NOTES = """\
uplink: onset of a tone at the microphone's source until the first append that holds it has arrived at the server.
downlink: first response.output_audio.delta sent until the first loud sample at the speaker's monitor.
stop: input_audio_buffer.speech_started sent until the last loud sample at the speaker's monitor.
cut - heard: audio_end_ms of conversation.item.truncate less the loud samples at the monitor; p95 is that of its size.
CPU: of the client and all that it started, in windows of two seconds of a ten-second answer. PSS: of all; RSS: of the first.
floor: a client that does nothing but pass blocks of 10 ms on; in each column how far the median is from its median.
The first of each is not counted. Speaker and microphone are null devices: what real ones add comes on top for all."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=Path, required=True, help="vivavoce-cli")
    parser.add_argument("--clients", type=Path, required=True, help="folder of the installed packages")
    parser.add_argument("--runs", type=int, default=10, help="bursts, answers and stops of each client")
    parser.add_argument("--only", help="beginnings of names, by commas; the floor is always measured")
    parser.add_argument("--json", type=Path, help="where every single value is written")
    return parser.parse_args()


async def main():
    args = arguments()
    if "RIG_DIR" not in os.environ:
        sys.exit("This plays and records: run it inside tests/desktop/rig.sh.")
    sys.path.insert(0, str(args.clients.resolve() / "python"))
    # A thread that hears something shall say so at once.
    sys.setswitchinterval(0.0005)
    from clients import clients
    from feed import Feed
    from probe import Probe
    from course import ANSWER_LOUD, BURST_LOUD

    ears = Feed("rig_feed"), Probe("rig_mic", BURST_LOUD), Probe("rig_speaker.monitor", ANSWER_LOUD)
    rows = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        for client in clients(0, args.program, args.clients, Path(home)):
            if wanted(client.name, args.only):
                rows[client.name] = await measure(client.name, args, Path(home), ears)
    report(rows, args)


def wanted(name, only):
    return only is None or name == "floor" or any(name.startswith(part) for part in only.split(","))


async def measure(name, args, home, ears):
    """Returns what was seen of one client, and why it was not all."""
    from clients import PEERS, clients
    from course import Course
    from server import Server

    folder = args.clients.resolve()
    pages = {"peers": PEERS, "js": folder / "js" / "node_modules"}
    log = home / "log"
    async with Server(pages) as server:
        client = next(c for c in clients(server.port, args.program.resolve(), folder, home) if c.name == name)
        with log.open("wb") as out:
            try:
                process = subprocess.Popen(
                    client.command,
                    env={**os.environ, **client.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
            except OSError as error:
                return failed(str(error))
        course = Course(server, *ears, process, args.runs)
        try:
            await first_of(course.run(), died(process), asyncio.sleep(CLIENT_LIMIT_S))
        except Exception as error:
            course.seen.words.append(f"{type(error).__name__} {error}; its last words: {last_words(log)}")
        finally:
            kill(process)
    print(f"{name}: done", file=sys.stderr, flush=True)
    return course.seen


def failed(words):
    from course import Seen

    return Seen(words=[words])


async def first_of(course, *others):
    """Runs the course unless one of the others ends first."""
    tasks = [asyncio.ensure_future(one) for one in (course, *others)]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if tasks[0] not in done:
        raise RuntimeError("it ended" if tasks[1] in done else "it took too long")
    tasks[0].result()


async def died(process):
    while process.poll() is None:
        await asyncio.sleep(0.1)


def kill(process):
    """Ends a client and all that it started."""
    import psutil

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
            process.wait(3)
        except subprocess.TimeoutExpired:
            pass
    for child in family:
        try:
            child.kill()
        except psutil.Error:
            pass


def last_words(log):
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])[-400:] or "none"


def report(rows, args):
    from collections import Counter

    from table import lines, summary

    print("\n".join(lines(rows)))
    for name, seen in rows.items():
        appends = f"an append each {seen.append_ms:.0f} ms while it speaks" if seen.append_ms else "no append while it speaks"
        words = [f"{words} ({count}x)" if count > 1 else words for words, count in Counter(seen.words).items()]
        print(f"{name}: {'; '.join([appends, f'{seen.gaps} gaps in answers', *words])}.")
    print(NOTES)
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{time.strftime('%Y-%m-%d')}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {load}.")
    if args.json:
        whole = {name: {"summary": summary(seen), "seen": vars(seen)} for name, seen in rows.items()}
        args.json.write_text(json.dumps(whole, indent=1))


asyncio.run(main())
