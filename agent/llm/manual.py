"""`manual:DIR`: each prompt becomes a file, and the reply is whatever a person puts beside it.

`0001-edit.prompt.md` is written; then we wait for `0001-edit.reply.md`. A reply counts once it is not empty and has not
changed for a moment, so that an editor may save it in pieces. For people with a chat window but no key.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from agent.core.errors import InfrastructureError, InputProblem
from agent.core.ports import Pulse
from agent.core.prompt import FREE, Bill, Prompt, Reply


class ManualModel:
    def __init__(self, folder: Path, still: float = 1.0, poll: float = 0.2) -> None:
        self.folder = folder
        self.name = f"manual:{folder}"
        self._still = still
        self._poll = poll
        place = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        if not place.is_dir() or not os.access(place, os.W_OK):
            raise _unusable(folder, f"{place} is no folder to write in")

    def worst(self, prompt: Prompt) -> Bill:
        return FREE

    def complete(self, prompt: Prompt, pulse: Pulse) -> Reply:
        asked, answer = (self.folder / f"{prompt.call}.{kind}.md" for kind in ("prompt", "reply"))
        self._write(asked, answer, prompt.text().encode())
        began = time.monotonic()
        seen, since = None, began
        while True:
            pulse()
            now = _look(answer)
            if now != seen:
                seen, since = now, time.monotonic()
            if seen and time.monotonic() - since >= self._still and (text := _read(answer)):
                return Reply(text, self.name, seconds=time.monotonic() - began)
            time.sleep(self._poll)

    def _write(self, asked: Path, answer: Path, text: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(self.folder, error.strerror or "") from None
        if asked.exists() and asked.read_bytes() == text:
            return
        if answer.exists():
            raise InputProblem(
                f"{answer} answers another prompt than the one to be asked now",
                "Give `manual:` an empty folder for each study.",
            )
        try:
            new = asked.with_suffix(".new")
            new.write_bytes(text)
            new.replace(asked)
        except OSError as error:
            raise InfrastructureError(
                f"cannot write {asked}: {error.strerror}", "Free the folder, then `resume`."
            ) from None


def _unusable(folder: Path, why: str) -> InputProblem:
    return InputProblem(f"cannot make the folder {folder}: {why}", "Give another folder after `manual:`.")


def _look(answer: Path) -> tuple[int, int, int] | None:
    """What changes while a file is being written; its time alone would trust clocks and copied times."""
    try:
        status = answer.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino


def _read(answer: Path) -> str:
    """The reply, or nothing if it is blank."""
    try:
        text = answer.read_text("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise InputProblem(f"{answer} is not UTF-8 text", "Save it as UTF-8, then `resume`.") from None
    except OSError as error:
        raise InputProblem(f"cannot read {answer}: {error.strerror}", "Mend that, then `resume`.") from None
    return text if text.strip() else ""
