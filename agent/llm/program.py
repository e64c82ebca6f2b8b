"""`cmd:PROGRAM`: the prompt on the program's standard input, the reply on its standard output.

What it costs is not ours to know: its calls are shown as of unknown price, and --max-cost does not bind it. It gets the
whole environment (it may need keys); what it prints on standard error is told, without keys, when it fails.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from typing import IO

from agent.core.config import Settings
from agent.core.errors import InputProblem
from agent.core.ports import Pulse
from agent.core.prompt import Bill, NoReply, Prompt, Reply
from agent.core.redact import hide, without
from agent.core.text import duration, shorten

_UNKNOWN = Bill({}, None)
_LONGEST_RUN = 15  # times `reply_timeout`
_LONGEST_REPLY = 2_000_000  # bytes
_POLL = 0.05


class ProgramModel:
    def __init__(self, command: str, settings: Settings) -> None:
        self.name = f"cmd:{command}"
        try:
            self._argv = shlex.split(command)
        except ValueError as error:
            raise InputProblem(f"{command!r} is no command line: {error}", "Correct the quotes after `cmd:`.") from None
        if not self._argv or not shutil.which(self._argv[0]):
            raise InputProblem(
                f"there is no program {self._argv[0] if self._argv else ''!r} to run", "Correct its name after `cmd:`."
            )
        self._limit = settings.reply_timeout * _LONGEST_RUN

    def worst(self, prompt: Prompt) -> Bill:
        return _UNKNOWN

    def complete(self, prompt: Prompt, pulse: Pulse) -> Reply | NoReply:
        began = time.monotonic()
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as moaned:
            asked.write(prompt.text().encode())
            asked.seek(0)
            try:
                program = subprocess.Popen(self._argv, stdin=asked, stdout=said, stderr=moaned, start_new_session=True)
            except OSError as error:
                return NoReply("program", f"it cannot be started: {error.strerror}")
            try:
                why = self._watch(program, said, pulse, began)
            finally:
                _end(program)
            if why:
                return NoReply("program", why)
            if program.returncode:
                return NoReply("program", _complaint(program.returncode, moaned))
            said.seek(0)
            text = said.read().decode("utf-8", "replace")
        return Reply(without(text, os.environ), self.name, seconds=time.monotonic() - began, cost=None)

    def _watch(self, program: subprocess.Popen[bytes], said: IO[bytes], pulse: Pulse, began: float) -> str:
        """Why it was not waited for, or nothing."""
        while program.poll() is None:
            pulse()
            if time.monotonic() - began > self._limit:
                return f"it had not ended after {duration(self._limit)}"
            if os.fstat(said.fileno()).st_size > _LONGEST_REPLY:
                return f"it printed more than {_LONGEST_REPLY:,} bytes"
            time.sleep(_POLL)
        return ""


def _end(program: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


def _complaint(code: int, moaned: IO[bytes]) -> str:
    moaned.seek(0)
    lines = moaned.read()[-20_000:].decode("utf-8", "replace").strip().splitlines()
    return f"it ended with exit code {code}" + (f": {shorten(hide(lines[-1], os.environ), 200)}" if lines else "")
