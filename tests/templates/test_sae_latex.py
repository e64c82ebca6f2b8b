"""The bibliography and the paper skeleton of the SAE template: what a program can check without LaTeX."""

import re
from pathlib import Path

import pytest

LATEX = Path(__file__).parents[2] / "templates/sae/latex"
BIBLIOGRAPHY = (LATEX / "references.bib").read_text()
PAPER = (LATEX / "paper.tex").read_text()

REQUIRED = {
    "article": {"author", "title", "journal", "year"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "misc": {"author", "title", "year", "eprint", "archiveprefix", "url"},
}
ALLOWED = {"doi", "url", "eprint", "archiveprefix", "volume", "number", "pages", "series"}
SECTIONS = [
    "abstract",
    "Introduction",
    "Background",
    "Method",
    "Experimental setup",
    "Results",
    "Related work",
    "Conclusion",
]


def parse(text):
    """Entries as (kind, key, fields). Strict: one field a line, in braces, with a comma; anything else is an error."""
    entries, entry = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if entry is None and (not line or line.startswith("%")):
            continue
        if entry is None and (head := re.fullmatch(r"@([a-z]+)\{([a-z0-9]+),", line)):
            entry = (head[1], head[2], {})
        elif entry and line == "}":
            entries.append(entry)
            entry = None
        elif entry and (field := re.fullmatch(r"  ([a-z]+) *= \{(.+)\},", line)) and field[1] not in entry[2]:
            assert balanced(field[2]), f"line {number}: braces"
            entry[2][field[1]] = field[2]
        else:
            raise AssertionError(f"line {number}: {line}")
    assert entry is None, "the last entry is not closed"
    return entries


def balanced(text):
    depth = 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return False
    return depth == 0


def uncommented(text):
    return re.sub(r"(?<!\\)%.*", "", text)


ENTRIES = parse(BIBLIOGRAPHY)
KEYS = [key for _, key, _ in ENTRIES]
each_entry = pytest.mark.parametrize(("kind", "key", "fields"), ENTRIES, ids=KEYS)


def test_there_is_enough_to_cite_and_no_key_stands_twice():
    assert len(KEYS) >= 30 and len(set(KEYS)) == len(KEYS)


@pytest.mark.parametrize(
    "text",
    ["@misc{a,\n  year = {2000},\n", "@misc{a,\n  year = 2000,\n}", "@misc{a,\n  title = {a}b},\n}", "@misc{a,\n}\nx"],
)
def test_the_parser_lets_nothing_broken_through(text):
    with pytest.raises(AssertionError):
        parse(text)


@each_entry
def test_an_entry_has_the_fields_of_its_kind_and_no_others(kind, key, fields):
    assert REQUIRED[kind] <= set(fields) <= REQUIRED[kind] | ALLOWED
    assert fields.keys() & {"doi", "url"}
    assert all(value == value.strip() and value.isascii() for value in fields.values())


@each_entry
def test_all_authors_are_named(kind, key, fields):
    for author in fields["author"].split(" and "):
        assert re.fullmatch(r"\{[\w ]+\}|[^,]+, [^,]+", author), author
        assert not re.search(r"\b(others|et al)\b", author, re.IGNORECASE)


@each_entry
def test_key_year_and_preprint_agree(kind, key, fields):
    year = int(fields["year"])
    assert 1900 < year < 2100 and str(year) in key
    first = fields["author"].split(" and ")[0].split(",")[0]
    assert key.startswith(re.sub(r"[^a-z]", "", first.lower()).removesuffix("team"))
    assert ("eprint" in fields) == ("archiveprefix" in fields)
    if "eprint" in fields:
        assert fields["archiveprefix"] == "arXiv"
        number = re.fullmatch(r"(\d\d)(0[1-9]|1[0-2])\.(\d{4,5})", fields["eprint"])
        assert number and len(number[3]) == (5 if fields["eprint"] >= "1501" else 4)
        assert abs(year - 2000 - int(number[1])) <= 1


@each_entry
def test_addresses_are_addresses(kind, key, fields):
    assert re.fullmatch(r"10\.\d{4,}/\S+", fields.get("doi", "10.0000/x"))
    assert re.fullmatch(r"https://\S+", fields.get("url", "https://x"))
    if "arxiv.org" in fields.get("url", ""):
        assert fields["url"] == f"https://arxiv.org/abs/{fields['eprint']}"
    assert re.fullmatch(r"\d+--\d+", fields.get("pages", "1--2"))


def test_what_the_skeleton_cites_or_recommends_is_in_the_bibliography():
    cited = [k.strip() for group in re.findall(r"\\cite\w*\{([^}]*)\}", PAPER) for k in group.split(",")]
    recommended = re.findall(r"\b[a-z]+(?:19|20)\d\d[a-z0-9]+\b", PAPER)
    assert cited and set(cited) < set(recommended) <= set(KEYS)


def test_the_skeleton_has_its_sections_in_order_each_with_a_purpose_and_a_placeholder():
    starts = [m.start() for m in re.finditer(r"\\begin\{abstract\}|\\section\{", PAPER)]
    assert [re.match(r"\\(?:begin|section)\{([\w ]+)\}", PAPER[s:])[1] for s in starts] == SECTIONS
    for name, start, end in zip(SECTIONS, starts, [*starts[1:], len(PAPER)], strict=True):
        assert rf"\placeholder{{{name.capitalize()}: " in PAPER[start:end].replace("\n", " ")
        purpose = PAPER[:start].rstrip().splitlines()[-1]
        assert purpose.startswith("% "), name


def test_the_skeleton_compiles_before_there_are_facts():
    text = uncommented(PAPER)
    assert balanced(text.replace("\\{", "").replace("\\}", ""))
    head, fallback = text.split(r"\IfFileExists{facts.tex}{\input{facts.tex}}{", 1)
    assert r"\placeholder}[1]" in head
    names = "fact factpm factci factsd factn factverdict factdiff factpct factp factconf factstudy facttable lit"
    for name in names.split():
        assert rf"\DeclareRobustCommand{{\{name}}}[" in fallback
    assert r"\bibliography{references}" in text
