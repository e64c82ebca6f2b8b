"""What people see while a study is worked on, and what their Ctrl-C does."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.core.events import Entry
    from agent.core.state import State
    from agent.core.template import Template
    from agent.steps.desk import Desk


class Screen:
    """A terminal gets colours and one moving line; anything else gets plain lines."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self._terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._moving = False
        self._signals = 0

    def begin(self, desk: Desk) -> None:
        if self.quiet:
            return
        from agent.session import sandbox_of

        print(
            f"{desk.idea.title}\n  study {desk.state.name} · template {desk.template.name}, profile {desk.state.profile}"
            f" · model {short_model(desk.model.name)}"
        )
        if desk.model.name.startswith("cmd:") and desk.state.settings.max_cost is not None:
            print("  cost: what a program costs is not known, so --max-cost does not bind it.")
        print(f"  sandbox: {sandbox_of(desk.state.settings, desk.template, desk.profile).said}")

    def teller(self, template: Template) -> Callable[[Entry, State, State], None]:
        from agent.report.narrate import narrate

        def tell(entry: Entry, before: State, after: State) -> None:
            line = narrate(entry, before, after, template)
            if line and not self.quiet:
                self._line(*line)

        return tell

    def _line(self, tone: str, text: str) -> None:
        import time

        self.clear()
        stamp = time.strftime("%H:%M:%S")
        colour = (
            {"good": "32", "bad": "31", "quiet": "2"}.get(tone)
            if self._terminal and "NO_COLOR" not in os.environ
            else None
        )
        print(f"{stamp}  \x1b[{colour}m{text}\x1b[0m" if colour else f"{stamp}  {text}", flush=True)

    def progress(self, text: str) -> None:
        if not self._terminal or self.quiet:
            return
        import shutil

        self.clear()
        if text:
            sys.stdout.write(f"          {text}"[: shutil.get_terminal_size().columns - 1])
            sys.stdout.flush()
            self._moving = True

    def clear(self) -> None:
        if self._moving:
            sys.stdout.write("\r\x1b[K")
            self._moving = False

    def watch_signals(self) -> Callable[[], bool]:
        """The first Ctrl-C lets the loop finish writing and stop; the second stops at once. Both are resumable."""

        def caught(number: int, frame: object) -> None:
            self._signals += 1
            if self._signals > 1:
                os._exit(130)
            os.write(2, b"\nstopping; once more to stop at once\n")

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, caught)
        return lambda: self._signals > 0


def short_model(name: str) -> str:
    kind, _, rest = name.partition(":")
    return f"{kind}:{short_path(Path(rest))}" if rest else name


def short_path(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
