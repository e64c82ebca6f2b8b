"""The frozen cases of tests/core/cases/results.json, made into results."""

import json
from copy import deepcopy
from pathlib import Path

from agent.core.result import parse_result
from tests.helpers import template

CASES = json.loads((Path(__file__).parent / "cases" / "results.json").read_text("utf-8"))
TEMPLATE = template(**CASES["template"])


def of_kind(kind):
    return [case for case in CASES["cases"] if case["kind"] == kind]


def names(cases):
    return [f"{case['half']}: {case['name']}" for case in cases]


def edited(families, case):
    """final_info.json of a run, with what the case changes of it."""
    families = deepcopy(families)
    for path, value in case.get("set", {}).items():
        *folders, last = path.split("/")
        _at(families, folders)[last] = deepcopy(value)
    for path in case.get("drop", []):
        *folders, last = path.split("/")
        _at(families, folders).pop(last, None)
    return families


def _at(families, folders):
    for name in folders:
        families = families[name]
    return families


def run_text(case):
    return json.dumps(edited(CASES["run"], case))


def result(families):
    found = parse_result(json.dumps(families))
    assert not isinstance(found, list), found
    return found


def reference():
    return result(CASES["reference"])


def assert_said(said, messages):
    """Each text stands in one of the messages; where nothing is to be said, nothing is."""
    assert said or not messages, messages
    for text in said:
        assert any(text in message for message in messages), (text, messages)
