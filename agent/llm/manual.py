"""`manual:DIR`: each prompt becomes a file, and the reply is whatever a person puts beside it.

`0001-edit.prompt.md` is written; then we wait for `0001-edit.reply.md`. A reply counts once it is not empty and has not
changed for a moment, so that an editor may save it in pieces. For people with a chat window but no key.
"""

from __future__ import annotations

import time
from pathlib import Path

from agent.core.errors import InfrastructureError, InputProblem
from agent.core.ports import Pulse
from agent.core.prompt import Prompt, Reply


class ManualModel:
    def __init__(self, folder: Path, still: float = 1.0, poll: float = 0.2) -> None:
        self.folder = folder
        self.name = f"manual:{folder}"
        self._still = still
        self._poll = poll
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputProblem(
                f"cannot make the folder {folder}: {error.strerror}", "Give another folder after `manual:`."
            ) from None

    def complete(self, prompt: Prompt, pulse: Pulse) -> Reply:
        asked, answer = (self.folder / f"{prompt.call}.{kind}.md" for kind in ("prompt", "reply"))
        self._write(asked, answer, prompt.text())
        began = time.monotonic()
        while True:
            pulse()
            text = self._settled(answer)
            if text is not None:
                return Reply(text, self.name, seconds=time.monotonic() - began)
            time.sleep(self._poll)

    def _write(self, asked: Path, answer: Path, text: str) -> None:
        if asked.exists() and asked.read_text("utf-8") == text:
            return
        if answer.exists():
            raise InputProblem(
                f"{answer} answers another prompt than the one to be asked now",
                "Give `manual:` an empty folder for each study.",
            )
        try:
            new = asked.with_suffix(".new")
            new.write_text(text, "utf-8")
            new.replace(asked)
        except OSError as error:
            raise InfrastructureError(
                f"cannot write {asked}: {error.strerror}", "Free the folder, then `resume`."
            ) from None

    def _settled(self, answer: Path) -> str | None:
        try:
            if time.time() - answer.stat().st_mtime < self._still:
                return None
            text = answer.read_text("utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise InputProblem(f"{answer} is not UTF-8 text", "Save it as UTF-8, then `resume`.") from None
        return text if text.strip() else None
