"""The text of a macOS profile. Nobody has run one: these tests say what is written, not what a Mac does with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.core.job import Command, Job, Reach
from agent.runners.sandbox import Prepared, Unprepared, prepare
from agent.runners.seatbelt import PROGRAM, Walls, command_line, profile, quoted

WALLS = Walls(("/data", "/study"), ("/study/.git", "/study/held out"), ("/study/run_1", "/a/home"), False)


def test_everything_is_denied_first_and_the_later_rule_wins() -> None:
    rules = profile(WALLS).splitlines()
    assert rules[:2] == ["(version 1)", "(deny default)"]
    order = [
        next(i for i, rule in enumerate(rules) if word in rule)
        for word in ('"/study")', '"/study/.git"', '"/study/run_1"')
    ]
    assert order == sorted(order) and len(set(order)) == 3
    assert '(deny file-read* file-write* (subpath "/study/.git") (subpath "/study/held out"))' in rules


def test_only_what_is_writable_is_written_and_there_is_no_network_but_its_own_sockets() -> None:
    rules = profile(WALLS).splitlines()
    writes = [rule for rule in rules if rule.startswith("(allow") and "file-write*" in rule]
    assert writes == ['(allow file-read* file-write* (subpath "/study/run_1") (subpath "/a/home"))']
    network = [rule for rule in rules if "network" in rule]
    assert network == ["(deny network*)", '(allow network* (subpath "/study/run_1") (subpath "/a/home"))']
    assert not any(word in profile(WALLS) for word in ("mach-", "(allow default)", "process-info"))


def test_with_the_network_it_is_allowed_as_a_whole() -> None:
    assert "(allow network* system-socket)" in profile(Walls((), (), ("/w",), True))


def test_no_rule_is_without_a_path() -> None:
    assert re.findall(r"\(\w+ file-[\w* -]+\)", profile(Walls((), (), (), False))) == []
    assert profile(WALLS).count("(") == profile(WALLS).count(")")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/plain", '"/plain"'),
        ("/with blank (and brackets)", '"/with blank (and brackets)"'),
        ('/a"b', '"/a\\"b"'),
        ("/a\\b", '"/a\\\\b"'),
        ('/x") (allow default) ("', '"/x\\") (allow default) (\\""'),
        ("/ü 🙂", '"/ü 🙂"'),
    ],
)
def test_no_name_can_leave_its_quotes(path: str, said: str) -> None:
    assert quoted(path) == said
    assert f"(subpath {said})" in profile(Walls((path,), (), (), False))


@pytest.mark.parametrize("path", ["/a\nb", "/a\0b", "/\udcff"])
def test_a_name_that_cannot_be_written_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="cannot be named"):
        quoted(path)


def test_a_command_gets_the_profile_of_its_reach_with_links_resolved(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    command = Command("x", ("python", "x.py"), reach=Reach((str(tmp_path / "link"),), ("/data",)))
    made = prepare(command, Job((command,), "/"), tmp_path / "attempt", {}, "", "seatbelt")
    assert isinstance(made, Prepared) and made.argv[:2] == (PROGRAM, "-p") and made.argv[3:] == command.argv
    assert f'(subpath "{tmp_path}/real")' in made.argv[2] and "/link" not in made.argv[2]
    bad = Command("x", ("x",), reach=Reach(("/a\nb",)))
    assert isinstance(prepare(bad, Job((bad,), "/"), tmp_path, {}, "", "seatbelt"), Unprepared)
    assert command_line(WALLS, ("x",))[0] == PROGRAM
