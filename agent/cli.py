"""The commands: parse, wire, print, exit code. The only file that prints. Heavy imports stay inside the commands.

Exit codes: 0 done · 1 ended without a usable run · 2 input or set-up is wrong · 3 stopped by a limit · 4 infrastructure
failed · 5 waiting for an answer · 130 interrupted. 3, 4, 5 and 130 leave a study that `resume` goes on with.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import __version__
from agent.core.errors import InputProblem, Interrupted, ScientistError

if TYPE_CHECKING:
    from agent.core.config import Settings
    from agent.core.events import Entry
    from agent.core.policy import Stop
    from agent.core.state import State
    from agent.core.template import Template
    from agent.steps.desk import Desk


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["exec-run"]:  # what every engine starts; it must come up fast
        from agent.runners.launcher import main as launch

        return launch(arguments[1:])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show is no reason to stop
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
        return code
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
start:    ai-scientist run ideas/my_idea.json -m manual:prompts
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

    def add(name: str, run: Callable[[argparse.Namespace], int], help: str, **kw: Any) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name, help=help, description=kw.pop("description", help[:1].upper() + help[1:] + "."), **kw
        )
        command.set_defaults(command=run)
        command.add_argument("-o", "--results", metavar="DIR", help="where studies are kept (default: results)")
        command.add_argument("--json", action="store_true", help="print one JSON object instead of text")
        return command

    run = add("run", _run, "work through an idea, as a new study")
    run.add_argument("idea", metavar="IDEA.json", help="the idea; FILE.json#NAME chooses one from a list")
    run.add_argument("-t", "--template", help="a template's folder or name (default: the idea's, else the only one)")
    run.add_argument("-p", "--profile", help="a size of the template (default: its first)")
    _limits(run)

    resume = add("resume", _resume, "go on exactly where a study stopped")
    resume.add_argument("study", metavar="STUDY")
    _limits(resume)
    answer = resume.add_mutually_exclusive_group()
    answer.add_argument("--take", action="store_true", help="go on from your own edit of the study's files")
    answer.add_argument("--stash", action="store_true", help="put your own edit aside (kept) and go on without it")

    show = add("show", _show, "show a study's summary and runs; without STUDY: all studies")
    show.add_argument("study", metavar="STUDY", nargs="?")

    diff = add("diff", _diff, "show what a run changed, or what differs between two runs")
    diff.add_argument("study", metavar="STUDY")
    diff.add_argument(
        "runs", metavar="RUN", nargs="*", help="run_3, or 3; one: against the run it started from; two: between them"
    )
    diff.add_argument("--all", action="store_true", help="notes and results too, not only the experiment's code")

    check = add("check", _check, "check a template's folder or an idea, and say all that is wrong with it")
    check.add_argument("what", metavar="TEMPLATE|IDEA.json")

    note = add("note", _note, "give the coder a hint in its next prompt")
    note.add_argument("study", metavar="STUDY")
    note.add_argument("text", metavar="TEXT")
    note.add_argument("--keep", action="store_true", help="in all later prompts, not only the next")

    stop = add("stop", _stop, "end a study that is being worked on, or only its present run")
    stop.add_argument("study", metavar="STUDY")
    stop.add_argument(
        "--run", action="store_true", dest="only_run", help="end the run; the study goes on with the next item"
    )

    add("doctor", _doctor, "look at this machine: what is there, what is missing, what to install")
    return parser


def _limits(command: argparse.ArgumentParser) -> None:
    command.add_argument("-m", "--model", help="replay:FILE, or manual:DIR")
    command.add_argument("--max-runs", metavar="N", help="number of runs after the baselines (default: 10)")
    command.add_argument("--max-time", metavar="TIME", help="time of work, such as 90m or 8h")
    command.add_argument("--max-cost", metavar="DOLLARS", help="for the model (default: 10)")
    command.add_argument("--sandbox", choices=("auto", "none"), help="isolation of the experiment")
    command.add_argument("--record", metavar="FILE", help="write all replies to a recording that `replay:FILE` plays")
    command.add_argument(
        "-c",
        dest="settings",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="any other setting: attempts_per_run, turns_per_attempt, python, executor, …",
    )
    command.add_argument("--quiet", action="store_true", help="say only how it ended")


# --- settings --------------------------------------------------------------------------------------------------

_PATHS = ("record",)


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """What the command line says, -c included; paths are made absolute, so that `resume` works from anywhere."""
    names = ("model", "template", "profile", "max_runs", "max_time", "max_cost", "sandbox", "record", "results")
    given: dict[str, Any] = {}
    for pair in getattr(options, "settings", []):
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InputProblem(f"-c {pair} is not KEY=VALUE", "For example: -c turns_per_attempt=6")
        given[key.strip().replace("-", "_")] = _value(value.strip())
    given |= {
        name: _value(value) if name.startswith("max_") else value
        for name in names
        if (value := getattr(options, name, None)) is not None
    }
    for key in _PATHS:
        if given.get(key):
            given[key] = _absolute(str(given[key]))
    if "model" in given:
        given["model"] = _absolute_model(str(given["model"]))
    return given


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _absolute(path: str) -> str:
    return str(Path(os.path.expanduser(path)).absolute())  # noqa: PTH111  leaves ~nobody as it is, as a shell does


def _absolute_model(word: str) -> str:
    kind, _, rest = word.partition(":")
    return f"{kind}:{_absolute(rest)}" if kind in ("replay", "manual") and rest else word


def _layers(options: argparse.Namespace) -> list[tuple[str, dict[str, Any]]]:
    from platformdirs import user_config_path

    from agent.store.catalog import read_toml

    files = (user_config_path("ai-scientist") / "config.toml", Path("ai-scientist.toml"))
    return [*((str(path), read_toml(path)) for path in files if path.exists()), ("command line", _given(options))]


def _settled(options: argparse.Namespace) -> Settings:
    from agent.core.config import settle

    return settle(_layers(options))


def _results(options: argparse.Namespace) -> Path:
    return Path(_settled(options).results)


# --- work ------------------------------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> int:
    import time

    from agent import session
    from agent.llm.choose import choose
    from agent.steps import setup
    from agent.store import catalog

    settings = _settled(options)
    idea, idea_path = catalog.load_idea(options.idea)
    loaded = catalog.load_template(settings.template or idea.template)
    profile, sized = loaded.template.profile(settings.profile)
    shipped = ""
    if not settings.model:
        shipped = _shipped_recording(idea_path, loaded.template, profile)
        settings = session.merged(settings, {"model": f"replay:{shipped}" if shipped else ""})
    choose(settings.model)
    session.preflight(loaded.template, sized, settings, loaded.folder)
    if shipped and not options.json:
        print(f"No model was chosen: this plays the recorded session {shipped}; nothing is asked of any model.")
    root = setup.create(idea, loaded, settings, time.time)
    return _work(root, settings.model_dump(exclude={"template", "profile"}), False, options)


def _shipped_recording(idea: Path, template: Template, profile: str) -> str:
    path = idea.with_suffix(".replay.jsonl")
    return str(path.absolute()) if path.exists() and profile == next(iter(template.profiles)) else ""


def _resume(options: argparse.Namespace) -> int:
    from agent.core.config import LIMITS, settle
    from agent.store.catalog import find_study

    root = find_study(options.study, _results(options))
    given = {key: value for key, value in _given(options).items() if key != "results"}
    fixed = sorted(set(given) & {"template", "profile"})
    if fixed:
        raise InputProblem(f"{' and '.join(fixed)} of a study cannot change", "Start a new study with `run`.")
    checked = settle([("command line", given)])
    given = {key: getattr(checked, key) for key in given}
    return _work(root, given, any(key in given for key in LIMITS), options)


def _work(root: Path, given: dict[str, Any], reopen: bool, options: argparse.Namespace) -> int:
    import time

    from agent import session
    from agent.loop import record_all, work
    from agent.steps import human
    from agent.store import catalog

    screen = _Screen(quiet=options.quiet or options.json)
    _, _, template = catalog.look(root)
    outside = {
        "now": time.time,
        "tell": screen.teller(template),
        "show_progress": screen.progress,
        "interrupted": screen.watch_signals(),
    }
    with session.opened(root, given, reopen, **outside) as desk:
        screen.begin(desk)
        record_all(desk, human.answer(desk, getattr(options, "take", False), getattr(options, "stash", False)))
        try:
            stop = work(desk)
        except ScientistError as error:
            screen.clear()
            error.hint = error.hint or f"Go on with `ai-scientist resume {desk.state.name}`."
            raise
        screen.clear()
        _say_end(desk, stop, root, options)
        return stop.exit_code


def _say_end(desk: Desk, stop: Stop, root: Path, options: argparse.Namespace) -> None:
    from agent.report.record import record
    from agent.report.summary import facts

    if options.json:
        print(
            json.dumps(
                {
                    **record(desk.state, desk.template),
                    "exit_code": stop.exit_code,
                    "why": stop.why,
                    "folder": str(root),
                },
                ensure_ascii=False,
            )
        )
        return
    print(f"\n{stop.why[:1].upper()}{stop.why[1:]}. {stop.hint}".rstrip())
    for label, text in facts(desk.state, desk.template)[1:]:
        print(f"  {label + ':':<12}{text}")
    print(f"  {'Folder:':<12}{_short(root)}\n\nLook: ai-scientist show {desk.state.name}")


def _short(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


class _Screen:
    """A terminal gets colours and one moving line; anything else gets plain lines."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._moving = False
        self._signals = 0

    def begin(self, desk: Desk) -> None:
        if self._quiet:
            return
        print(
            f"{desk.idea.title}\n  study {desk.state.name} · template {desk.template.name}, profile {desk.state.profile}"
            f" · model {_short_model(desk.model.name)}"
        )
        print("  sandbox: none. The experiment runs with your rights; isolation comes with a later version.")

    def teller(self, template: Template) -> Callable[[Entry, State, State], None]:
        from agent.report.narrate import narrate

        def tell(entry: Entry, before: State, after: State) -> None:
            line = narrate(entry, before, after, template)
            if line and not self._quiet:
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
        if not self._terminal or self._quiet:
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


def _short_model(name: str) -> str:
    kind, _, rest = name.partition(":")
    return f"{kind}:{_short(Path(rest))}" if rest else name


# --- look ------------------------------------------------------------------------------------------------------


def _study(options: argparse.Namespace) -> tuple[Path, State, Template]:
    from agent.store.catalog import find_study, look

    root = find_study(options.study or ".", _results(options))
    state, _, template = look(root)
    return root, state, template


def _show(options: argparse.Namespace) -> int:
    from agent.report.record import record
    from agent.report.summary import facts, status
    from agent.store.journal import is_locked

    if not options.study and not _inside_a_study():
        return _show_all(options)
    root, state, template = _study(options)
    working = is_locked(root / ".study" / "lock")
    if options.json:
        print(json.dumps({**record(state, template, working), "folder": str(root)}, ensure_ascii=False))
        return 0
    print(f"{state.name}\n")
    for label, text in [("Status", status(state, working)), *facts(state, template)[1:]]:
        print(f"{label + ':':<12}{text}")
    print()
    _print_runs(state, template)
    print(f"\nFolder: {_short(root)}\nChanges: ai-scientist diff {state.name} run_1")
    return 0


def _inside_a_study() -> bool:
    return any((folder / ".study" / "journal.jsonl").exists() for folder in (Path.cwd(), *Path.cwd().parents))


def _print_runs(state: State, template: Template) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from agent.core.digest import cell, difference
    from agent.core.text import duration

    primary = (state.plan or {}).get("primary", template.primary)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("run", "from", "what changed", primary or "result", "difference", "tries", "time"):
        table.add_column(
            title, overflow="fold", justify="right" if title in ("difference", "tries", "time") else "left"
        )
    for run in state.runs.values():
        what = template.baseline_of(run.name) if run.baseline else run.summary or "–"
        result = {"closed": f"failed: {run.closed}", "good": cell(run, primary, template)}.get(run.status, "…")
        change = difference(run, state.reference, primary, template) if state.reference and not run.baseline else "–"
        row = (
            run.name,
            run.parent or "–",
            what,
            result,
            change,
            str(len(run.attempts)),
            duration(run.seconds) if run.seconds else "–",
        )
        table.add_row(*map(Text, row), style="red" if run.status == "closed" else None)
    Console(highlight=False, width=None if sys.stdout.isatty() else 140).print(table)


def _show_all(options: argparse.Namespace) -> int:
    from agent.core.state import fold
    from agent.report.summary import status
    from agent.store.catalog import studies
    from agent.store.journal import is_locked, read

    results = _results(options)
    rows = []
    for name in studies(results):
        try:
            state = fold(read(results / name / ".study" / "journal.jsonl"))
            rows.append(
                {
                    "name": name,
                    "status": status(state, is_locked(results / name / ".study" / "lock")),
                    "good_runs": len(state.good),
                }
            )
        except ScientistError as error:
            rows.append({"name": name, "status": f"unreadable: {error.message}", "good_runs": 0})
    if options.json:
        print(json.dumps(rows, ensure_ascii=False))
    elif not rows:
        print(f"There is no study under {results}. Start one with: ai-scientist run IDEA.json")
    for row in [] if options.json else rows:
        print(f"{row['name']}  {row['good_runs']} good  {row['status']}")
    return 0


def _diff(options: argparse.Namespace) -> int:
    from agent.core.template import is_experiment
    from agent.store.workspace import Workspace

    root, state, template = _study(options)
    names = [f"run_{word}" if word.isdecimal() else word for word in options.runs]
    if len(names) > 2:
        raise InputProblem("diff takes at most two runs", "For example: ai-scientist diff last run_2 run_3")
    if not names:
        names = [state.good[-1].name] if state.good else []
    if not names:
        raise InputProblem("there is no run with a result yet", "Name a run to see what was tried.")
    only = state.runs.get(names[0]) if len(names) == 1 else None
    if only and not only.parent:
        raise InputProblem(f"{only.name} is a baseline: it started from no other run", "Name two runs to compare them.")
    old, new = (only.parent if only else names[0], names[-1])
    heads = [_head(state, name) for name in (old, new)]
    workspace = Workspace(root)
    known = sorted({*workspace.tree(heads[0]), *workspace.tree(heads[1])})
    paths = (
        []
        if options.all
        else [p for p in known if template.may_edit(p) and (is_experiment(p) or p in ("plot.py", "probes.py"))]
    )
    text = workspace.diff(heads[0], heads[1], paths)
    if options.json:
        print(json.dumps({"from": old, "to": new, "commits": heads, "diff": text}, ensure_ascii=False))
    else:
        print(f"{old} → {new}: {state.runs[new].summary or 'baseline'}\n")
        print(_coloured(text) if text else "The code is the same.")
    return 0


def _head(state: State, name: str) -> str:
    from agent.core.text import did_you_mean

    run = state.runs.get(name)
    if run is None or not (run.head or run.attempt):
        raise InputProblem(
            f"{state.name} has no run {name}{did_you_mean(name, state.runs)}", "`ai-scientist show` lists its runs."
        )
    return run.head or run.attempts[-1].head


def _coloured(diff: str) -> str:
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return diff
    colours = {"+": "32", "-": "31", "@": "36"}
    lines = (f"\x1b[{colours[line[0]]}m{line}\x1b[0m" if line[:1] in colours else line for line in diff.splitlines())
    return "\n".join(lines)


# --- check, note, stop, doctor ---------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> int:
    from agent.store import catalog

    if ".json" in options.what:
        idea, path = catalog.load_idea(options.what)
        about: dict[str, Any] = {
            "idea": idea.name,
            "title": idea.title,
            "template": idea.template or None,
            "fields": list(idea.fields),
            "file": str(path),
        }
    else:
        loaded = catalog.load_template(options.what)
        template = loaded.template
        level, why = template.trust(tuple(loaded.files))
        about = {
            "template": template.name, "layout": "classic" if template.classic else "template.toml",
            "editable": sorted(f for f in loaded.files if template.may_edit(f)),
            "frozen": sorted(f for f in loaded.files if not template.may_edit(f)),
            "profiles": list(template.profiles), "primary": template.primary or None,
            "baselines": [template.baseline_run(b.name) for b in template.baselines],
            "trust": f"{level}: {why}", "folder": str(loaded.folder),
        }  # fmt: skip
    if options.json:
        print(json.dumps({"ok": True, **about}, ensure_ascii=False))
        return 0
    for key, value in about.items():
        print(f"{key + ':':<12}{', '.join(value) if isinstance(value, list) else value if value is not None else '–'}")
    print("usable")
    return 0


def _note(options: argparse.Namespace) -> int:
    from agent.core.text import is_text
    from agent.store import inbox

    if not is_text(options.text):
        raise InputProblem("the note is not UTF-8 text", "Type it again, or use a terminal that speaks UTF-8.")
    if not options.text.strip():
        raise InputProblem("the note is empty", 'For example: ai-scientist note last "try a smaller learning rate"')
    root, state, _ = _study(options)
    slip = inbox.drop(root / ".study" / "inbox", "note", text=options.text.strip(), keep=options.keep)
    said = f"The coder will read it in {'all its prompts from now on' if options.keep else 'its next prompt'} of {state.name}."
    print(json.dumps({"study": state.name, "slip": slip}) if options.json else said)
    return 0


def _stop(options: argparse.Namespace) -> int:
    from agent.store import inbox
    from agent.store.journal import is_locked

    root, state, _ = _study(options)
    if not is_locked(root / ".study" / "lock"):
        raise InputProblem(
            f"{state.name} is not being worked on", "There is nothing to stop; `resume` goes on with it."
        )
    what = "run" if options.only_run else "study"
    slip = inbox.drop(root / ".study" / "inbox", "stop", what=what)
    print(
        json.dumps({"study": state.name, "slip": slip}) if options.json else f"{state.name} is asked to end its {what}."
    )
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from agent import doctor

    checks = doctor.examine(_settled(options))
    failed = any(c.state == "missing" for c in checks)
    if options.json:
        print(json.dumps({"ok": not failed, "checks": [vars(c) for c in checks]}, ensure_ascii=False))
    else:
        for check in checks:
            print(f"{check.state:<9}{check.what:<22}{check.found}" + (f"\n{'':<31}→ {check.fix}" if check.fix else ""))
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
