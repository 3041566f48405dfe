"""The table: a row per client, and how far each is from the floor of the same run."""

import numpy as np

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
FLOOR = "floor"


def summary(seen: Seen) -> dict:
    """Returns n, median and p95 of each figure; of the cut, p95 is that of its size."""
    figures = {}
    for name, *_ in FIGURES:
        values = getattr(seen, name)
        if values:
            far = np.abs(values) if name == "cut" else values
            figures[name] = {"n": len(values), "median": float(np.median(values)), "p95": float(np.percentile(far, 95))}
    return figures


def lines(rows: dict[str, Seen]) -> list[str]:
    """Returns the table, aligned."""
    summaries = {name: summary(seen) for name, seen in rows.items()}
    floor = summaries.get(FLOOR, {})
    table = [["", *(cell for _, heading, *_ in FIGURES for cell in (heading, "", "", ""))]]
    table.append(["client", *(["n", "med", "p95", "floor"] * len(FIGURES))])
    for name, figures in summaries.items():
        row = [name]
        for key, _, digits, relation in FIGURES:
            row += cells(figures.get(key), floor.get(key) if name != FLOOR else None, digits, relation)
        table.append(row)
    widths = [max(len(row[n]) for row in table[1:]) for n in range(len(table[0]))]
    return [heading(table[0], widths), *(" ".join(fit(row, widths)) for row in table[1:])]


def cells(figure, floor, digits, relation):
    if figure is None:
        return ["0", "-", "-", "-"]
    against = "-"
    if floor is not None:
        far = figure["median"] - floor["median"] if relation == "-" else figure["median"] / floor["median"]
        against = f"{far:+.{digits}f}" if relation == "-" else f"x{far:.1f}"
    return [str(figure["n"]), f"{figure['median']:.{digits}f}", f"{figure['p95']:.{digits}f}", against]


def heading(row, widths):
    """Each heading stands over its four columns."""
    parts = [" " * widths[0]]
    for n in range(1, len(row), 4):
        parts.append(row[n].rjust(sum(widths[n : n + 4]) + 3))
    return " ".join(parts)


def fit(row, widths):
    return [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
