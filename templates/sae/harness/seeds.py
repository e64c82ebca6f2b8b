"""Seeds side by side: one process of one thread each, as many at a time as there are cores.

`in_parallel(work, worlds, out_dir)` calls `work(seed, worlds, out_dir, show)` for each seed of AI_SCIENTIST_SEEDS. Progress
goes to the terminal and to AI_SCIENTIST_PROGRESS. A seed that fails prints its own traceback and ends the others.
One thread each, always: two threads of one process on a busy machine are ten times slower, and another number of threads
sums in another order. SAE_INLINE=1 runs the seeds here, one after the other, so that a breakpoint works.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from harness.data import World, profile
from harness.report import Refused

Show = Callable[[str, int, int, Any], None]  # world, step, of, history
Work = Callable[[int, list[World], Path, Show], None]
_EVERY = 0.5  # seconds between two messages of a seed


def chosen() -> list[int]:
    return [int(seed) for seed in os.environ.get("AI_SCIENTIST_SEEDS", "0,1,2").split(",")]


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_parallel(work: Work, worlds: list[World], out_dir: Path) -> None:
    out_dir.mkdir(parents=True, exist_ok=True)
    progress = Progress(worlds, chosen())
    if os.environ.get("SAE_INLINE") == "1":
        for seed in chosen():
            work(seed, worlds, out_dir, _teller(seed, progress.hear))
    else:
        forked([lambda seed=seed, say=None: work(seed, worlds, out_dir, _teller(seed, say)) for seed in chosen()], progress.hear)
    progress.end()


def forked(tasks: Iterable[Callable[..., Any]], hear: Callable[[Any], None] = lambda _: None) -> list[Any]:
    """Each task in a process of its own, which sees what this one has in memory; their results in order.

    A task is called with `say`, which hands something to `hear` here. The first failure ends all the others and this
    program, with exit code 1: its traceback has been printed.
    """
    context = multiprocessing.get_context("fork")  # this process has one thread: forking is safe, and shares the data
    waiting, running, results = list(enumerate(tasks)), {}, {}
    sys.stdout.flush()
    try:
        while waiting or running:
            while waiting and len(running) < cores():
                number, task = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_child, args=(task, theirs))
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C waits until we know whom to end
                process.start()
                running[ours] = (number, process)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
                theirs.close()
            for pipe in wait(list(running)):
                number, process = running[pipe]
                try:
                    kind, value = pipe.recv()
                except EOFError:
                    process.join()
                    del running[pipe]
                    if number not in results:
                        raise SystemExit(_failed(process.exitcode)) from None
                    continue
                if kind == "said":
                    hear(value)
                elif kind == "refused":
                    raise Refused(value)
                else:
                    results[number] = value
    finally:
        for _, process in running.values():
            process.kill()
    return [results[number] for number in sorted(results)]


def _child(task: Callable[..., Any], pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and ends us
    try:
        pipe.send(("done", task(say=lambda value: pipe.send(("said", value)))))
    except Refused as reason:
        pipe.send(("refused", str(reason)))
    except SystemExit as end:  # whoever raised it has said why
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException:  # noqa: BLE001  whatever it was, it is said here, where its frames are
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _failed(exit_code: int | None) -> int | str:
    if exit_code is not None and exit_code < 0:
        return f"a training process was killed by signal {-exit_code} ({signal.Signals(-exit_code).name})"
    return 1


def _teller(seed: int, say: Callable[[Any], None]) -> Show:
    last = 0.0

    def show(world: str, step: int, of: int, history: Any) -> None:
        nonlocal last
        if step == of or time.monotonic() - last > _EVERY:
            last = time.monotonic()
            say((seed, world, step, of, history.loss, history.l0))

    return show


@dataclass
class Progress:
    worlds: list[World]
    seeds: list[int]
    began: float = field(default_factory=time.monotonic)
    done: dict[int, float] = field(default_factory=dict)  # share of its training, by seed
    tenths: int = 0

    def hear(self, said: tuple[int, str, int, int, float, float]) -> None:
        seed, world, step, of, loss, l0 = said
        names, whole = [w.name for w in self.worlds], sum(w.budget for w in self.worlds)
        earlier = sum(w.budget for w in self.worlds[: names.index(world)])
        self.done[seed] = (earlier + self.worlds[names.index(world)].budget * step / of) / whole
        share = sum(self.done.values()) / len(self.seeds)
        self._write(share, whole, loss, l0)
        left = (time.monotonic() - self.began) * (1 - share) / share
        line = f"{share:4.0%}  seed {seed} · {world} {step}/{of} · loss {loss:.4f} · L0 {l0:.1f} · about {left:.0f} s left"
        if sys.stderr.isatty():
            print(f"\r\x1b[K{'█' * round(20 * share):░<20} {line}", end="", file=sys.stderr, flush=True)
        elif int(10 * share) > self.tenths:
            self.tenths = int(10 * share)
            print(line, flush=True)

    def _write(self, share: float, tokens: int, loss: float, l0: float) -> None:
        if path := os.environ.get("AI_SCIENTIST_PROGRESS"):
            of = len(self.seeds) * tokens // profile().batch
            with Path(path).open("a", encoding="ascii") as file:
                file.write(json.dumps({"step": round(share * of), "of": of, "loss": loss, "l0": l0}) + "\n")

    def end(self) -> None:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        seconds = time.monotonic() - self.began
        print(f"trained {len(self.seeds)} seed(s) of {' and '.join(w.name for w in self.worlds)} in {seconds:.0f} s", flush=True)
