"""The table: a row per client, and how far each is from the floor of the same run."""

import json
import os
import platform
import time
from collections import Counter

import numpy as np

from clients import FLOOR
from course import Seen

# Attribute, heading, digits, and whether the floor is taken from it or divides it.
FIGURES = [
    ("uplink", "uplink ms", 1, "-"),
    ("downlink", "downlink ms", 1, "-"),
    ("stop", "stop ms", 1, "-"),
    ("cut", "cut - heard ms", 1, "-"),
    ("cpu", "CPU % of a core", 1, "/"),
    ("pss", "PSS MB", 0, "/"),
    ("rss", "RSS MB", 0, "/"),
]
NOTES = """\
uplink: onset of a tone at the microphone's source until the first append that holds it has arrived at the server. The
onset is a tenth of the tone's height, so what a filter smears begins a little early.
downlink: first response.output_audio.delta sent until the first loud sample at the speaker's monitor.
stop: input_audio_buffer.speech_started sent until the last loud sample at the speaker's monitor.
cut - heard: audio_end_ms of conversation.item.truncate less the loud samples at the monitor; p95 is that of its size.
CPU: of the client and all that it started, in windows of two seconds of a ten-second answer. PSS: of all; RSS: of the
first process.
floor: a client that does nothing but pass on blocks of 10 ms. In each column it is how far the median is from its
median.
gaps: silences of more than 1 ms within an answer. A busy machine makes them in any client.
The first burst and the first answer are not counted. Speaker and microphone are null devices; what real ones take
comes on top for all."""


def report(rows: dict[str, Seen], file):
    """Prints the table and its notes; writes every single value to `file`, if there is one."""
    summaries = {name: summary(seen) for name, seen in rows.items()}
    if file:
        whole = {name: {"summary": summaries[name], "seen": vars(seen)} for name, seen in rows.items()}
        file.write_text(json.dumps(whole, indent=1))
    print("\n".join(lines(summaries)))
    for name, seen in rows.items():
        print(f"{name}: {remarks(seen)}.")
    print(NOTES)
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {load}"
    print(f"{time.strftime('%Y-%m-%d')}, {machine}.")


def summary(seen: Seen) -> dict:
    """Returns n, median and p95 of each figure; of the cut, p95 is that of its size."""
    figures = {}
    for name, *_ in FIGURES:
        values = getattr(seen, name)
        if values:
            far = np.abs(values) if name == "cut" else values
            median, p95 = float(np.median(values)), float(np.percentile(far, 95))
            figures[name] = {"n": len(values), "median": median, "p95": p95}
    return figures


def remarks(seen: Seen) -> str:
    """Returns what the figures do not say."""
    words = [f"{words} ({count} times)" if count > 1 else words for words, count in Counter(seen.words).items()]
    if seen.cpu:
        appends = f"an append each {seen.append_ms:.0f} ms" if seen.append_ms else "no append"
        words = [f"{appends} while it speaks", f"{len(seen.gaps)} gaps, {sum(seen.gaps):.0f} ms in all", *words]
    return "; ".join(words)


def lines(summaries: dict[str, dict]) -> list[str]:
    """Returns the table, aligned."""
    floor = summaries.get(FLOOR, {})
    table = [["client", *(["n", "med", "p95", "floor"] * len(FIGURES))]]
    for name, figures in summaries.items():
        row = [name]
        for key, _, digits, relation in FIGURES:
            row += cells(figures.get(key), floor.get(key) if name != FLOOR else None, digits, relation)
        table.append(row)
    widths = [max(map(len, column)) for column in zip(*table)]
    return [headings(widths), *(" ".join(fit(row, widths)) for row in table)]


def cells(figure, floor, digits, relation):
    if figure is None:
        return ["0", "-", "-", "-"]
    against = "-"
    if floor is not None:
        far = figure["median"] - floor["median"] if relation == "-" else figure["median"] / floor["median"]
        against = f"{far:+.{digits}f}" if relation == "-" else f"x{far:.1f}"
    return [str(figure["n"]), f"{figure['median']:.{digits}f}", f"{figure['p95']:.{digits}f}", against]


def headings(widths):
    """Each stands over its four columns."""
    spans = [sum(widths[n : n + 4]) + 3 for n in range(1, len(widths), 4)]
    return " ".join([" " * widths[0], *(text.rjust(span) for (_, text, *_), span in zip(FIGURES, spans))])


def fit(row, widths):
    return [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
