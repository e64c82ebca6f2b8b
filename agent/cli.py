"""The command line: parse, hand over to agent.commands, turn errors into sentences and exit codes.

Exit codes: 0 done · 1 ended without a usable run · 2 input or set-up is wrong · 3 stopped by a limit · 4 infrastructure
failed · 5 waiting for an answer · 130 interrupted. 3, 4, 5 and 130 leave a study that `resume` goes on with.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

from agent import __version__
from agent.core.errors import Interrupted, ScientistError
from agent.core.redact import without


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["exec-run"]:  # what every engine starts; it must come up fast
        from agent.runners.launcher import main as launch

        return launch(arguments[1:])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show is no reason to stop
    with redirect_stdout(_discreet(sys.stdout)), redirect_stderr(_discreet(sys.stderr)):
        return _guarded(_parser().parse_args(arguments))


def _guarded(options: argparse.Namespace) -> int:
    try:
        return _command(options)
    except ScientistError as error:
        _say_error(error, getattr(options, "json", False))
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our output has gone; nothing is wrong
        return 0
    except OSError as error:
        print(f"error: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr)
        print("Mend it (is the disk full?), then `resume` if a study was under way.", file=sys.stderr)
        return 4
    except Exception:  # noqa: BLE001  a bug must not look like "ended without a usable run"
        traceback.print_exc()
        print(
            "error: this is a fault of ai-scientist; please report the lines above. A study can be resumed.",
            file=sys.stderr,
        )
        return 4


class _Discreet:
    """A terminal, or what stands for it, that is told no key of the environment; each write is a whole text."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(without(text, os.environ))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _discreet(stream: TextIO) -> TextIO:
    return cast(TextIO, _Discreet(stream))


def _command(options: argparse.Namespace) -> int:
    """What a command needs is imported only now, so that `--help` and `show` start at once."""
    module = importlib.import_module(f"agent.commands.{options.module}")
    code: int = getattr(module, options.command)(options)
    return code


def _say_error(error: ScientistError, as_json: bool) -> None:
    problems = list(getattr(error, "problems", ()))
    if as_json:
        print(
            json.dumps({"error": error.message, "problems": problems, "hint": error.hint, "exit_code": error.exit_code})
        )
        return
    lines = [
        f"{'stopped' if isinstance(error, Interrupted) else 'error'}: {error.message}",
        *(f"  - {p}" for p in problems),
    ]
    print("\n".join([*lines, *([error.hint] if error.hint else [])]), file=sys.stderr)


# --- the parser ------------------------------------------------------------------------------------------------

_EPILOG = """\
start:    ai-scientist run ideas/my_idea.json -m anthropic/claude-sonnet-4-5 --max-cost 10
no key:   ai-scientist run ideas/my_idea.json -m manual:prompts
go on:    ai-scientist resume last
look:     ai-scientist show last, ai-scientist diff last run_3
STUDY is any unique part of a study's name, `last`, a path, or `.` inside one.
Exit codes: 0 done, 1 no usable run, 2 input or set-up wrong, 3 limit reached, 4 infrastructure failed,
5 waiting for an answer, 130 interrupted; after 3, 4, 5 and 130 `resume` goes on exactly where it stopped."""


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "ai-scientist",
        description="From an idea to runs and notes in which every number was measured.",
        epilog=_EPILOG,
        formatter_class=raw,
    )
    parser.add_argument("--version", action="version", version=f"ai-scientist {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, module: str, help: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help, description=f"{help[:1].upper()}{help[1:]}.")
        command.set_defaults(command=name, module=module)
        command.add_argument("-o", "--results", metavar="DIR", help="where studies are kept (default: results)")
        command.add_argument("--json", action="store_true", help="print one JSON object instead of text")
        return command

    run = add("run", "work", "work through an idea, as a new study")
    run.add_argument("idea", metavar="IDEA.json", help="the idea; FILE.json#NAME chooses one from a list")
    run.add_argument("-t", "--template", help="a template's folder or name (default: the idea's, else the only one)")
    run.add_argument("-p", "--profile", help="a size of the template (default: its first)")
    run.add_argument("--plan", action="store_true", help="say what would happen (runs, time, dollars), and ask")
    _limits(run)

    resume = add("resume", "work", "go on exactly where a study stopped")
    resume.add_argument("study", metavar="STUDY")
    _limits(resume)
    answer = resume.add_mutually_exclusive_group()
    answer.add_argument("--take", action="store_true", help="go on from your own edit of the study's files")
    answer.add_argument("--stash", action="store_true", help="put your own edit aside (kept) and go on without it")

    show = add("show", "look", "show a study's summary and runs; without STUDY: all studies")
    show.add_argument("study", metavar="STUDY", nargs="?")

    diff = add("diff", "look", "show what a run changed, or what differs between two runs")
    diff.add_argument("study", metavar="STUDY")
    diff.add_argument(
        "runs", metavar="RUN", nargs="*", help="run_3, or 3; one: against the run it started from; two: between them"
    )
    diff.add_argument("--all", action="store_true", help="notes and results too, not only the experiment's code")

    note = add("note", "tend", "give the coder a hint in its next prompt")
    note.add_argument("study", metavar="STUDY")
    note.add_argument("text", metavar="TEXT")
    note.add_argument("--keep", action="store_true", help="in all later prompts, not only the next")

    amend = add("amend", "tend", "change the frozen plan of a study, with a reason that is recorded")
    amend.add_argument("study", metavar="STUDY")
    amend.add_argument("change", metavar="KEY=VALUE", help="primary=METRIC, min_effect=NUMBER or varied=KEY,KEY")
    amend.add_argument("--because", metavar="TEXT", required=True, help="the reason")

    stop = add("stop", "tend", "end a study that is being worked on, or only its present run")
    stop.add_argument("study", metavar="STUDY")
    stop.add_argument(
        "--run", action="store_true", dest="only_run", help="end the run; the study goes on with the next item"
    )

    check = add("check", "tend", "check a template's folder or an idea, and say all that is wrong with it")
    check.add_argument("what", metavar="TEMPLATE|IDEA.json")

    baseline = add("baseline", "baseline", "measure a template's baselines here, once for all studies")
    baseline.add_argument("template", metavar="TEMPLATE", help="its folder or name")
    baseline.add_argument("-p", "--profile", help="a size of the template (default: its first)")
    source = baseline.add_mutually_exclusive_group()
    source.add_argument(
        "--seeds", metavar="N", dest="baseline_seeds", help="over N seeds, where the profile asks for fewer"
    )
    source.add_argument(
        "--import", metavar="DIR", dest="folder", help="take the results in DIR/run_0 … instead; marked as imported"
    )
    baseline.add_argument("--again", action="store_true", help="forget what is known of them, and measure anew")
    _sandbox(baseline)
    _settings(baseline)
    baseline.add_argument("--quiet", action="store_true", help="say only the results")

    paper = add(
        "paper",
        "paper",
        "build a study's paper: audit, PDF, what is wrong with file and line; a model is asked only with --rewrite",
    )
    paper.add_argument("study", metavar="STUDY")
    anew = paper.add_argument_group("to have it written anew, by the model")
    anew.add_argument(
        "--rewrite", metavar="SECTION", nargs="?", const="", help="this section (results, abstract, …), or all of them"
    )
    anew.add_argument(
        "--take", action="store_true", help="also what you have changed by hand; the coder goes on from it"
    )
    anew.add_argument("-m", "--model", help="another model than the study's")
    anew.add_argument("--max-cost", metavar="DOLLARS", help="for the whole study")
    anew.add_argument("--record", metavar="FILE", help="write all replies to a recording")
    anew.add_argument("--quiet", action="store_true", help="say only how it ended")
    _settings(anew)

    export = add("export", "paper", "write a study's paper or results for use elsewhere")
    export.add_argument("study", metavar="STUDY")
    kind = export.add_mutually_exclusive_group(required=True)
    kind.add_argument("--overleaf", action="store_true", help="a zip with all that plain latexmk needs")
    kind.add_argument("--for", dest="purpose", choices=("paper",), help="a folder: the same, with PDF and results")
    kind.add_argument("--csv", action="store_true", help="all runs and metrics, with stderr, n and verdict")
    export.add_argument("--to", metavar="PATH", help="where to (default: here, under the study's name)")

    doctor = add("doctor", "tend", "look at this machine and model: what is there, what is missing, what to do")
    doctor.add_argument("-m", "--model", help="the model to check: name, key, address, price, context")
    doctor.add_argument("-t", "--template", help="a template whose prompts must fit into the model's context")
    doctor.add_argument("--live", action="store_true", help="also make one small test call, which is paid for")
    _settings(doctor)

    triage = add("triage", "triage", "say whose failure it is: the network's, the machine's, the coder's")
    triage.add_argument("log", metavar="LOG", help="a log, an attempt's folder or a run's; - reads the standard input")
    triage.add_argument(
        "--exit-code", metavar="N", type=int, help="how the job ended (default: 1, or what the folder says)"
    )
    triage.add_argument("--signal", metavar="N", type=int, help="the signal that ended it, instead of an exit code")
    triage.add_argument(
        "-t", "--template", metavar="DIR", help="the template that ran: says what it needs and what only an edit names"
    )
    return parser


def _limits(command: argparse.ArgumentParser) -> None:
    command.add_argument("-m", "--model", help="PROVIDER/MODEL, cmd:PROGRAM, replay:FILE or manual:DIR")
    command.add_argument("--max-runs", metavar="N", help="number of runs after the baselines (default: 10)")
    command.add_argument("--max-time", metavar="TIME", help="time of work, such as 90m or 8h")
    command.add_argument("--max-cost", metavar="DOLLARS", help="for the model (default: 10; none: no limit)")
    _sandbox(command)
    command.add_argument(
        "--no-paper", dest="paper", action="store_const", const=False, help="end with the notes, without a paper"
    )
    command.add_argument(
        "--require-pdf",
        action="store_const",
        const=True,
        help="refuse to begin if LaTeX is missing (default: do without a PDF)",
    )
    command.add_argument("--record", metavar="FILE", help="write all replies to a recording that `replay:FILE` plays")
    _settings(command)
    command.add_argument("--quiet", action="store_true", help="say only how it ended")


def _sandbox(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--sandbox", choices=("auto", "bwrap", "landlock", "seatbelt", "none"), help="isolation of the experiment"
    )


def _settings(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "-c",
        dest="settings",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="any other setting: price, base_url, reply_tokens, reply_timeout, attempts_per_run, python, …",
    )


if __name__ == "__main__":
    sys.exit(main())
