"""How each client is started."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).resolve().parent / "peers"
FLOOR = "floor"


@dataclass(frozen=True)
class Client:
    """A row of the table: its name, and its command line for a server's port."""

    name: str
    command: list[str]
    environment: dict[str, str]


def clients(port: int, program: Path, packages: Path, home: Path) -> list[Client]:
    """Returns all that can be measured; `home` is a folder that goes with the run."""
    python = {"PYTHONPATH": str(packages / "python")}
    url = f"ws://127.0.0.1:{port}/v1/realtime"
    ours = {"VIVAVOCE_HOME": str(home / "vivavoce"), "VIVAVOCE_OTHER_KEY": "none"}
    talk = [str(program), "talk", "--engine", url, "--provider", "other"]
    return [
        Client(FLOOR, [sys.executable, str(PEERS / "floor.py"), str(port)], python),
        Client("vivavoce, canceller off", [*talk, "--echo", "headphones"], ours),
        Client("vivavoce, canceller on", [*talk, "--echo", "full-duplex"], ours),
        Client("openai-agents, Python", [sys.executable, str(PEERS / "agents_sounddevice.py"), url], python),
        Client("agents-realtime, Chromium", chromium(port, home), {}),
    ]


def chromium(port: int, home: Path) -> list[str]:
    """Returns the browser, on the page that the server has for it."""
    return [
        os.environ.get("CHROMIUM", "chromium"),
        "--headless",
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--autoplay-policy=no-user-gesture-required",
        "--enable-logging=stderr",
        f"--user-data-dir={home / 'chromium'}",
        f"http://127.0.0.1:{port}/peers/browser.html",
    ]
