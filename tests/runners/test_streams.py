"""Logs keep their head and tail whatever arrives, in flat memory and without slowing the end down."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.core.ports import Runner
from agent.runners.inline import InlineRunner
from agent.runners.local import LocalRunner
from agent.runners.streams import SMALLEST_CAP, CappedLog
from tests.runners.attempts import attempt_of, ended, launcher_of, python, reaper_of, run, shell

CAP = 10_000


def resident_kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@pytest.mark.parametrize("piece", [1, 7, 999, 4096, 10_001, 250_000])
@pytest.mark.parametrize("size", [0, 1, 4999, 5000, 5001, CAP, CAP + 1, 15_000, 123_457])
def test_head_and_tail_are_kept_however_the_pieces_fall(tmp_path: Path, size: int, piece: int) -> None:
    text = b"".join(b"%d " % number for number in range(25_000))[:size]
    log = CappedLog(tmp_path / "log", CAP)
    for offset in range(0, size, piece):
        log.write(text[offset : offset + piece])
    assert log.close() == max(0, size - CAP)
    kept = (tmp_path / "log").read_bytes()
    if size <= CAP:
        assert kept == text
    else:
        line = b"\n[... %d bytes of output left out ...]\n" % (size - CAP)
        assert kept == text[: CAP // 2] + line + text[-CAP // 2 :]


def test_a_full_log_is_readable_while_it_is_written_and_has_no_litter_beside_it(tmp_path: Path) -> None:
    log = CappedLog(tmp_path / "log", 1)
    for number in itertools.count():
        log.write(b"%d\n" % number)
        if log.dropped:
            break
    assert (tmp_path / "log").read_bytes().startswith(b"0\n1\n2\n")
    assert (tmp_path / "log").stat().st_size == SMALLEST_CAP
    log.close()
    assert [file.name for file in tmp_path.iterdir()] == ["log"]


def test_endless_output_is_bounded_on_disk_and_in_memory_and_the_limit_holds(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, shell("yes out & yes err >&2"), seconds=1.0, stream_bytes=CAP)
    began = time.monotonic()
    LocalRunner().start(attempt)
    launcher = launcher_of(attempt)
    time.sleep(0.8)
    assert resident_kilobytes(launcher) < 64 * 1024
    outcome = ended(attempt)
    assert time.monotonic() - began < 2.5
    assert outcome.ending == "timeout"
    assert outcome.dropped_bytes > 10 * CAP
    for name, word in (("stdout.log", b"out\n"), ("stderr.log", b"err\n")):
        kept = (attempt / name).read_bytes()
        assert CAP < len(kept) < CAP + 100
        assert kept.startswith(word) and b"bytes of output left out" in kept


def test_output_that_is_no_text_is_kept_byte_by_byte(tmp_path: Path) -> None:
    assert run(tmp_path, python("import os; os.write(1, bytes(range(256))); os.write(2, b'\\xff\\xfe')")).ok
    assert (tmp_path / "attempt" / "stdout.log").read_bytes() == bytes(range(256))
    assert (tmp_path / "attempt" / "stderr.log").read_bytes() == b"\xff\xfe"


def test_the_last_words_before_a_crash_and_the_output_of_every_command_are_there(tmp_path: Path) -> None:
    run(tmp_path, shell("echo one"), shell("echo two; kill -9 $$", "evaluate"))
    assert (tmp_path / "attempt" / "stdout.log").read_text() == "one\ntwo\n"


def test_a_job_may_close_its_streams_and_go_on(tmp_path: Path) -> None:
    outcome = run(tmp_path, shell("exec >&- 2>&-; sleep 0.3; exit 5"))
    assert (outcome.ending, outcome.exit_code) == ("finished", 5)
    assert outcome.seconds > 0.25


KEY = "planted-key-0123456789"


@pytest.mark.parametrize("runner", [LocalRunner(), InlineRunner()])
def test_a_key_of_the_caller_is_in_no_log_however_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], runner: Runner
) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    halves = KEY[:9], KEY[9:]
    speak = f"import os, time\nfor part in {halves!r} * 3: os.write(1, part.encode()); time.sleep(0.15)\n"
    moan = f"os.write(2, ('x' * 2000 + {halves[0]!r}).encode()); time.sleep(0.2); os.write(2, ({halves[1]!r} + 'y' * 9000).encode())"
    attempt = attempt_of(tmp_path, python(speak + moan), stream_bytes=SMALLEST_CAP)
    runner.start(attempt)
    assert ended(attempt, runner=runner).ok
    assert (attempt / "stdout.log").read_text() == "[key]" * 3
    assert "x[key]y" in (attempt / "stderr.log").read_text()
    assert KEY not in "".join(capfd.readouterr())
    assert all(KEY.encode() not in file.read_bytes() for file in attempt.iterdir() if file.is_file())


def test_the_launcher_is_told_keys_where_nobody_else_can_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by its environment or command line; by a pipe that is closed before the job's first process exists."""
    monkeypatch.setenv("SOME_API_KEY", KEY)
    attempt = attempt_of(tmp_path, shell(f"sleep 1; echo {KEY[:9]}{KEY[9:]}"))
    LocalRunner().start(attempt)
    for pid in (launcher_of(attempt), reaper_of(attempt)):
        process = Path(f"/proc/{pid}")
        for name in ("environ", "cmdline"):
            assert KEY.encode() not in (process / name).read_bytes()
        assert (process / "fd/0").readlink() == Path("/dev/null")
        assert all(
            "pipe" not in str(link) or int(name.name) > 2
            for name in (process / "fd").iterdir()
            if (link := name.readlink())
        )
    assert ended(attempt).ok
    assert (attempt / "stdout.log").read_text() == "[key]\n"


def test_an_engine_that_has_the_keys_in_its_own_environment_hides_them_too(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, shell(f"echo {KEY}"))
    command = [sys.executable, "-m", "agent", "exec-run", str(attempt)]
    subprocess.run(command, env={**os.environ, "SOME_API_KEY": KEY}, stdin=subprocess.DEVNULL, check=True)
    assert (attempt / "stdout.log").read_text() == "[key]\n"
