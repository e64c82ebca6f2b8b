"""Reads the question, answers it."""

import difflib
import json
import os
import sys
from typing import Any

from agent.runners.asking.calls import call_of
from agent.runners.asking.objects import Missing
from agent.runners.asking.results import find
from agent.runners.asking.sources import pool_of

MARK = "ai-scientist-signatures:"
UNKNOWN: Any = {"is": "unknown"}


def near(name: str, there: Any) -> Any:
    public = [n for n in there if name.startswith("_") or not n.startswith("_")]
    return difflib.get_close_matches(name, public, n=3, cutoff=0.6)


def told(path: str, tables: Any) -> Any:
    try:
        found = find(path)
    except Missing as missing:
        return {
            "is": "missing",
            "owner": missing.owner,
            "name": missing.name,
            "near": near(missing.name, missing.there),
        }
    except Exception:  # noqa: BLE001
        return UNKNOWN
    try:
        return {"is": "there", "call": call_of(found, tables)}
    except Exception:  # noqa: BLE001
        return {"is": "there", "call": None}


def group(names: Any, tables: Any) -> Any:
    """The answers about the names of one library, and the pools that they point to."""
    answers = {path: told(path, tables) for path in names}
    pools: Any = {(answer.get("call") or {}).get("pool") for answer in answers.values()} - {None, ""}
    for pool in pools:
        try:
            gathered = pool_of(tables["pools"][pool])
        except Exception:  # noqa: BLE001
            gathered = None
        answers["pool " + pool] = {"is": "pool", "names": gathered} if gathered else UNKNOWN
    return answers


def main() -> None:
    answers_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print
    tables = json.load(sys.stdin)
    for names in [[], *tables["names"]]:  # the first line says that the interpreter works
        answers_to.write("\n" + MARK + json.dumps(group(names, tables)) + "\n")
        answers_to.flush()  # a later library may hang, or end the process
