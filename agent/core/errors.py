"""Failures that end a command.

    ScientistError
    ├── InputProblem          exit 2    the user's input or set-up is wrong; may carry several problems at once
    │   ├── StudyBusy                   another process is writing this study's journal
    │   └── ReplayMiss                  the recording has no reply for this call
    ├── InfrastructureError   exit 4    disk, git, launcher or provider failed after its retries; resumable
    └── Interrupted           exit 130  Ctrl-C; resumable
        └── StopAsked                   `stop`, while something was awaited; the loop takes it up, no command ends with it

Failures that are part of a study (an edit that does not fit, a run that crashes) are values, not exceptions.
Every message says what happened and, in `hint`, what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence


class ScientistError(Exception):
    exit_code = 4

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputProblem(ScientistError):
    exit_code = 2

    def __init__(self, message: str, hint: str = "", problems: Sequence[str] = ()) -> None:
        super().__init__(message, hint)
        self.problems = tuple(problems)


class StudyBusy(InputProblem):
    pass


class ReplayMiss(InputProblem):
    pass


class InfrastructureError(ScientistError):
    exit_code = 4


class Interrupted(ScientistError):
    exit_code = 130


class StopAsked(Interrupted):
    pass
