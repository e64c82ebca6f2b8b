"""Find and load ideas and templates: in the working directory first, then in the project's own folders."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core import prefetch
from agent.core.errors import InputProblem
from agent.core.fold import fold
from agent.core.idea import Idea, choose_idea, parse_idea
from agent.core.layout import Layout
from agent.core.state import State
from agent.core.template import OUTPUTS, Template, classic, parse_template
from agent.core.text import did_you_mean, is_text, printable, shorten
from agent.store import journal
from agent.store.workspace import Workspace

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).resolve().parents[2]
_SELF = ("idea.json", "template.toml", "prompt.json")
_LARGEST_FILE = 64 * 1024 * 1024


@dataclass(frozen=True)
class LoadedTemplate:
    template: Template
    folder: Path
    files: dict[str, bytes]  # what a study starts from, by relative path
    toml: str
    baseline_results: str = ""  # of a classic template: its run_0/final_info.json

    @property
    def characters_shown(self) -> int:
        """Of the files that every prompt holds."""
        shown = [p for p in self.files if self.template.may_edit(p) or p in self.template.context]
        return sum(len(self.files[path]) for path in shown)

    @property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()


def load_idea(reference: str) -> tuple[Idea, Path]:
    """`FILE.json` or `FILE.json#NAME`; a bare name is looked up in ideas/."""
    name, _, wanted = (reference, "", "") if _exists(Path(reference)) else reference.partition("#")
    path = _find(Path(name), "ideas", ".json", "idea")
    if path.is_dir():
        raise InputProblem(f"{path} is a folder, not an idea", "Give the idea's JSON file.")
    return choose_idea(read_json(path), wanted, str(name)), path


def load_template(name: str) -> LoadedTemplate:
    """A folder, or the name of one under templates/. Without a name: the only one there is."""
    folder = _find(Path(name), "templates", "", "template") if name else _only_template()
    if not folder.is_dir():
        raise InputProblem(f"{name} is not a template folder", "Give a folder with a template.toml.")
    toml, classic_prompt = folder / "template.toml", folder / "prompt.json"
    if toml.exists():
        template = parse_template(read_toml(toml), str(toml))
    elif (folder / "experiment.py").exists() and classic_prompt.exists():
        template = classic(folder.resolve().name, _object(read_json(classic_prompt), classic_prompt))
    else:
        raise InputProblem(
            f"{folder} is no template: it has no template.toml", "`ai-scientist check` says what a template needs."
        )
    files = _collect(folder)
    _all_there(template, files, folder)
    results = folder / "run_0" / "final_info.json"
    shipped = read_text(results) if template.classic and results.exists() else ""
    return LoadedTemplate(template, folder, files, toml.read_text("utf-8") if toml.exists() else "", shipped)


def read_json(path: Path) -> Any:
    return parse_json(read_text(path), str(path))


def parse_json(text: str, path: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f", line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        odd = (
            "it is nested too deeply" if isinstance(error, RecursionError) else "it holds a number with too many digits"
        )
        said = error.msg if isinstance(error, json.JSONDecodeError) else odd
        raise InputProblem(f"{path} is no valid JSON{where}: {said}", "Correct the file and start again.") from None


def read_toml(path: Path) -> dict[str, Any]:
    return parse_toml(read_text(path), str(path))


def parse_toml(text: str, path: str) -> dict[str, Any]:
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise InputProblem(f"{path} is no valid TOML: {said}", "Correct the file and start again.") from None
    return data


def read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise InputProblem(f"{path} is not UTF-8 text", "Save it as UTF-8.") from None
    except OSError as error:
        raise InputProblem(f"cannot read {path}: {error.strerror}", "Check the path and its permissions.") from None


def _object(data: Any, path: Path) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise InputProblem(f"{path} must hold a JSON object", "Correct the file and start again.")
    return data


def _find(path: Path, folder: str, suffix: str, what: str) -> Path:
    bare = path.name == str(path)
    places = [path] + (
        [root / folder / (path.name.removesuffix(suffix) + suffix) for root in (Path.cwd(), PROJECT)] if bare else []
    )
    places += [PROJECT / path] if not path.is_absolute() else []
    found = next((place for place in places if _exists(place)), None)
    if found:
        return found
    known = {p.name.removesuffix(suffix) for root in (Path.cwd(), PROJECT) for p in _entries(root / folder, suffix)}
    guess = did_you_mean(path.name.removesuffix(suffix), known)
    raise InputProblem(
        f"there is no {what} {shorten(str(path), 100)}{guess}", f"Give a path, or the name of one in {folder}/."
    )


def _exists(path: Path) -> bool:
    """Also for words that could not be the name of a file, such as a whole sentence."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _entries(folder: Path, suffix: str) -> list[Path]:
    if not folder.is_dir():
        return []
    wanted: Callable[[Path], bool] = (
        (lambda p: p.name.endswith(suffix)) if suffix else (lambda p: (p / "template.toml").exists())
    )
    return sorted(p for p in folder.iterdir() if wanted(p))


def _only_template() -> Path:
    found = _entries(Path.cwd() / "templates", "") or _entries(PROJECT / "templates", "")
    if len(found) == 1:
        return found[0]
    names = ", ".join(p.name for p in found) or "none"
    raise InputProblem(
        "no template was named", f"Choose one with -t (there is: {names}), or name it in the idea as Template."
    )


def _collect(folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    problems = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        top = name.split("/")[0]
        if (
            any(Path(top).match(pattern) for pattern in OUTPUTS)
            or "__pycache__" in name
            or name.endswith((".pyc", "~"))
        ):
            continue
        if not is_text(name):
            problems.append(f"{printable(name)}: its name is not UTF-8 text")
        elif path.is_symlink():
            problems.append(f"{name}: a symbolic link; a template must be whole in itself")
        elif path.is_file():
            if path.stat().st_size > _LARGEST_FILE:
                problems.append(f"{name}: larger than 64 MB; declare it under `data` instead")
            else:
                files[name] = path.read_bytes()
        elif not path.is_dir():
            problems.append(f"{name}: neither a file nor a folder")
    if problems:
        raise InputProblem(f"{folder} cannot be used as a template", "Correct the files named here.", problems)
    return files


def _all_there(template: Template, files: dict[str, bytes], folder: Path) -> None:
    """Plain names under `editable` and `context` must exist, and what is editable must be text."""
    problems = []
    for name in (*template.editable, *template.context):
        if not any(c in name for c in "*?") and name not in files and name != "probes.py":
            problems.append(f"{name}: named in template.toml but not there")
    for name in (n for n in files if template.may_edit(n)):
        try:
            files[name].decode("utf-8")
        except UnicodeDecodeError:
            problems.append(f"{name}: editable, but not UTF-8 text")
    if fetcher := template.environment.prefetch:
        problems += [said] if (said := prefetch.problem_with(fetcher, files, template.may_edit)) else []
    if not any(template.may_edit(name) for name in files):
        problems.append("editable: no file of the template matches")
    if problems:
        raise InputProblem(f"{folder} is not a usable template", "Correct template.toml or add the files.", problems)


# --- studies ---------------------------------------------------------------------------------------------------


def read_study(workspace: Workspace, head: str, name: str) -> tuple[Idea, Template]:
    """What a study says about itself at a commit, whatever state its working tree is in."""
    texts = {path: data.decode("utf-8", "replace") for path, data in workspace.read(head, _SELF).items()}
    if "idea.json" not in texts:
        raise InputProblem(f"{name} has no idea.json in its last commit", "Restore the study from a backup.")
    idea = parse_idea(parse_json(texts["idea.json"], "idea.json"), "idea.json")
    if "template.toml" in texts:
        return idea, parse_template(parse_toml(texts["template.toml"], "template.toml"), "template.toml")
    return idea, classic(name, _object(parse_json(texts.get("prompt.json", "{}"), "prompt.json"), Path("prompt.json")))


def look(root: Path) -> tuple[State, Idea, Template]:
    """A study as it is on disk, for commands that only read."""
    path = Layout(root).journal
    state = fold(journal.read(path))
    if not state.head:
        raise InputProblem(f"{path} does not begin with the study's creation", "Restore the journal from a backup.")
    idea, template = read_study(Workspace(root.resolve()), state.head, state.name)
    return state, idea, template


def find_study(word: str, results: Path) -> Path:
    """A path, `.` inside a study, `last`, or any unique part of a name."""
    if word in (".", "") or "/" in word or _exists(Path(word) / ".study"):
        return _study_around(Path(word or "."))
    names = studies(results)
    if not names:
        raise InputProblem(
            f"there is no study under {results}", "Start one with `ai-scientist run IDEA.json`, or give its path."
        )
    if word == "last":
        return results / names[-1]
    matching = [name for name in names if word in name]
    if word in names or len(matching) == 1:
        return results / (word if word in names else matching[0])
    if matching:
        raise InputProblem(
            f'"{word}" fits {len(matching)} studies: {", ".join(matching[-8:])}', "Give more of the name, or `last`."
        )
    raise InputProblem(
        f'no study under {results} has "{shorten(word, 60)}" in its name', f"There are: {', '.join(names[-8:])}."
    )


def studies(results: Path) -> list[str]:
    """Names, oldest first."""
    if not results.is_dir():
        return []
    return sorted(
        p.name for p in results.iterdir() if not p.name.startswith(".") and (p / ".study" / "journal.jsonl").exists()
    )


def _study_around(place: Path) -> Path:
    if not _exists(place):
        raise InputProblem(f"there is no folder {shorten(str(place), 100)}", "Name a study, or give the path of one.")
    for folder in (place.resolve(), *place.resolve().parents):
        if (folder / ".study" / "journal.jsonl").exists():
            return folder
    raise InputProblem(f"{place} is not inside a study", "Go into a study's folder, or name it.")
