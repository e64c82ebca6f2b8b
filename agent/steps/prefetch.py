"""Before anything is paid for: the template's trusted code fetches what its experiments need, and says which revisions.

It is a job like others, in an attempt folder of its own, so it can be killed and gone on with; but it runs outside the
sandbox, with network and the hub's token. What it fetched lies in the cache beside the studies, which experiments may
read and not write. Keys are handed on by name, stand in no file, and are taken out of the job's logs.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.core import events as e
from agent.core import prefetch, redact
from agent.core.actions import Prefetch
from agent.core.errors import InputProblem, Interrupted
from agent.core.job import Command, Job
from agent.runners.sandbox import HOME_FOLDER
from agent.steps.desk import Desk
from agent.steps.jobs import outcome_of, wait_until
from agent.store import files

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")
PASSED = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", *PROXIES, "NO_PROXY", "no_proxy",
          "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # fmt: skip
_ANSWER = "answer.json"
FETCH = """
import importlib, json, os, sys
module, function, answer = sys.argv[1:]
sys.path.insert(0, os.getcwd())
told = json.dumps(getattr(importlib.import_module(module), function)())
with open(answer + ".new", "w") as file:
    file.write(told)
os.replace(answer + ".new", answer)
"""


def perform(desk: Desk, action: Prefetch) -> Iterator[e.Event]:
    place = desk.template.environment.prefetch
    if not place:  # a person has taken it out
        yield e.DataFetched(attempt=action.attempt, revisions={})
        return
    _check(desk, place)
    wait_until(desk, action.not_before, "fetching the data again")
    attempt = desk.layout.attempt("prefetch", action.attempt)
    outcome = outcome_of(desk, attempt, "prefetch", lambda: _job(desk, place, attempt))
    said = _without_keys(attempt)
    answer = files.read_tail(attempt / _ANSWER, prefetch.LONGEST_ANSWER)
    revisions = prefetch.revisions_in(answer) if outcome.ok else None
    if revisions is not None:
        yield e.DataFetched(attempt=action.attempt, revisions=revisions, seconds=round(outcome.seconds, 3))
    else:
        kind, evidence = prefetch.failure_of(outcome, said, answer)
        log = (attempt / "stderr.log").relative_to(desk.layout.root)
        yield e.DataFailed(attempt=action.attempt, kind=kind, evidence=f"{evidence} (see {log})")
    if desk.interrupted():
        raise Interrupted("interrupted")


def _check(desk: Desk, place: str) -> None:
    """Once more, on the study's own files: a person may have changed what is frozen and what is not."""
    known = desk.workspace.read(desk.state.head, [prefetch.split(place)[0]])
    if problem := prefetch.problem_with(place, known, desk.template.may_edit):
        raise InputProblem(problem, "Correct the study's files and take them over with `resume --take`.")


def _job(desk: Desk, place: str, attempt: Path) -> Job:
    name, function = prefetch.split(place)
    module = name.removesuffix(".py").replace("/", ".")
    argv = (*desk.interpreter, "-c", FETCH, module, function, str(attempt.resolve() / _ANSWER))
    (_folder(desk) / "huggingface").mkdir(parents=True, exist_ok=True)
    token = _login(os.environ) or attempt.resolve() / HOME_FOLDER / "token"  # never in the cache, which jobs can read
    return Job(
        (Command("prefetch", argv),),
        str(desk.layout.root.resolve()),
        {**desk.profile.env, **_cache(desk), "HF_TOKEN_PATH": str(token)},
        prefetch.SECONDS,
        sandbox="none",
        network="host",
        inherit=PASSED,
    )


def _folder(desk: Desk) -> Path:
    return desk.layout.root.resolve().parent / ".cache" / "data"


def _cache(desk: Desk) -> dict[str, str]:
    return {"AI_SCIENTIST_CACHE": str(_folder(desk)), "HF_HOME": str(_folder(desk) / "huggingface")}


def _login(environment: Mapping[str, str]) -> Path | None:
    """The file in which the user's login at the hub is kept, if there is one."""
    caches = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = Path(environment.get("HF_HOME") or Path(caches) / "huggingface")
    path = Path(environment.get("HF_TOKEN_PATH") or home / "token").expanduser()
    return path if path.is_file() else None


def _without_keys(attempt: Path) -> str:
    """Take keys out of what the job said; the end of its standard error."""
    secrets = {**os.environ, **_more_secrets(os.environ)}
    for name in ("stdout.log", "stderr.log", _ANSWER):
        if (attempt / name).exists():
            text = (attempt / name).read_text("utf-8", "surrogateescape")
            if (hidden := redact.hide(text, secrets)) != text:
                files.write(attempt / name, hidden.encode("utf-8", "surrogateescape"))
    return files.read_tail(attempt / "stderr.log")


def _more_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """What core.redact does not know by name: passwords in a proxy's address, and the token that a login left in a file."""
    found = {
        f"{name}_PASSWORD": m[1] for name in PROXIES if (m := re.search(r"://([^/@]+)@", environment.get(name, "")))
    }
    if path := _login(environment):
        found["LOGIN_TOKEN"] = files.read_tail(path, 1000).strip()
    return found


# --- what runs get -------------------------------------------------------------------------------------------------------


def environment(desk: Desk) -> dict[str, str]:
    if desk.state.revisions is None:
        return {}
    offline = {} if desk.profile.network == "hub" else {"HF_HUB_OFFLINE": "1"}
    return {**_cache(desk), **offline, "AI_SCIENTIST_REVISIONS": json.dumps(desk.state.revisions)}


def folders(desk: Desk) -> list[str]:
    """To read, and not to write."""
    if desk.state.revisions is None:
        return []
    if not _folder(desk).is_dir():
        raise InputProblem(
            f"what was fetched for this study is not there any more: {_folder(desk)}",
            "Put it back: the study may have been moved without `.cache` beside it. Or start a new study.",
        )
    return [str(_folder(desk))]


def protocol(desk: Desk) -> dict[str, object]:
    """What a result rests on beside its code: kept with each run, in the plan, and in the key of cached baselines."""
    return {} if desk.state.revisions is None else {"revisions": desk.state.revisions}
