import re
from importlib.resources import files

import pytest

from agent.llm import prompts
from agent.llm.prompts import names, render


def declared(name):
    return sorted(prompts._load(name)[0])


def test_the_prompts_that_the_steps_use_are_all_there():
    assert {"stable", "kickoff", "next", "closed", "failure", "repair", "idle", "notes"} <= set(names())


@pytest.mark.parametrize("name", names())
def test_a_prompt_declares_exactly_what_it_uses(name):
    text = (files("agent.llm.prompts") / f"{name}.md").read_text("utf-8")
    first, _, body = text.partition("\n")
    assert set(re.fullmatch(r"<!-- variables: (.*) -->", first)[1].split(", ")) == set(re.findall(r"\$\{(\w+)\}", body))


@pytest.mark.parametrize("name", names())
def test_every_value_reaches_the_text(name):
    text = render(name, **{variable: f"[value of {variable}]" for variable in declared(name)})
    for variable in declared(name):
        assert f"[value of {variable}]" in text
    assert "variables:" not in text
    assert "${" not in text
    assert text.endswith("\n")


@pytest.mark.parametrize("name", names())
def test_a_missing_or_an_undeclared_value_is_a_fault_of_ours(name):
    values = dict.fromkeys(declared(name), "x")
    with pytest.raises(TypeError, match=r"not declared \['extra'\]"):
        render(name, **values, extra="x")
    missing = values.popitem()[0]
    with pytest.raises(TypeError, match=rf"missing \['{missing}'\]"):
        render(name, **values)


@pytest.mark.parametrize(
    "value",
    ["${x}", "${title}", "$", "$$", "$title", "{title}", "%s", "\\1", "\\fact{run_1.a.b}", "<!-- variables: a -->"],
)
def test_a_value_is_never_looked_into(value):
    for name in names():
        assert value in render(name, **dict.fromkeys(declared(name), value))


def test_an_unknown_prompt_is_a_fault_of_ours():
    with pytest.raises(FileNotFoundError):
        render("none")
