"""Names and calls of imported modules that cannot work where the experiment runs, however sensible they look.

A model that writes code invents functions and arguments (`load_dataset(…, timeout=60)`); each would cost a run. Here
they are told from what the experiment's own interpreter said (`known`; runners/signatures.py asks it) or what the
template's frozen files say (frozen_api.py). A false alarm costs the coder a turn, so doubt is silence. Only new findings
count, compared as lint.py does.

The risk that is taken: of a function with **kwargs that is in open_names.py, an argument that is neither a parameter
nor in the gathered pool is refused. Some of these would be ignored in silence where they run; they are inventions, too.
Limits: what a parameter, a container or another file's function gives is not followed, and values are not looked at.
"""

from __future__ import annotations

import ast
import difflib
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.core.known import POSITIONAL, Known, Missing, Pool, Signature, There, pool_key
from agent.core.shapes import Shape, Use
from agent.core.text import did_you_mean, plural, shorten
from agent.core.uses import uses

_MOST = 8
_LIKELY = 0.8  # of a pool, which is large, only what is nearly the same is meant
_LONGEST_LINE = 120
# Parts of torch that other packages bring when they are imported, each for a device of theirs.
_PLUGINS = frozenset({"torch.npu", "torch.mlu", "torch.musa", "torch.hpu", "torch.sdaa", "torch.gcu", "torch.tpu"})
_LISTED = 12  # parameters that a message names


@dataclass(frozen=True)
class _Finding:
    identity: tuple[str, str, str]  # kind, what it is about, source line
    line: int
    said: str


def wanted(files: Mapping[str, str]) -> frozenset[str]:
    """The paths about which something must be known to check these files."""
    return frozenset(use.path for name, text in files.items() if name.endswith(".py") for use in _uses(text))


def findings(before: Mapping[str, str], changed: Mapping[str, str], known: Known) -> tuple[str, ...]:
    """A sentence for each new finding in `changed`, the files that changed; one for the same, however often."""
    said = []
    for name, text in sorted(changed.items()):
        if name.endswith(".py"):
            same: dict[str, list[_Finding]] = {}
            for finding in _new(before.get(name, ""), text, known):
                same.setdefault(finding.said, []).append(finding)
            said += [_sentence(name, *each) for each in same.values()]
    return (*said[:_MOST], f"… and {len(said) - _MOST} more like these") if len(said) > _MOST else tuple(said)


def _sentence(name: str, first: _Finding, *others: _Finding) -> str:
    lines = sorted({f.line for f in others} - {first.line})
    same = f" (the same in {'lines' if lines[1:] else 'line'} {', '.join(map(str, lines))})" if lines else ""
    quoted = shorten(first.identity[2], _LONGEST_LINE)
    return f"{name} would fail in line {first.line} after the change, `{quoted}`: {first.said}{same}"


def _new(before: str, after: str, known: Known) -> Iterator[_Finding]:
    found = list(_found(after, known))
    old = Counter(f.identity for f in _found(before, known)) if found else Counter()
    for finding in found:
        if old[finding.identity]:
            old[finding.identity] -= 1
        else:
            yield finding


def _uses(text: str) -> list[Use]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return uses(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # others say what is wrong with such a text


def _found(text: str, known: Known) -> Iterator[_Finding]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for use in _uses(text):
        for about, said in _judged(use, known):
            yield _Finding((use.kind, about, lines[use.line - 1].strip()), use.line, said)


def _judged(use: Use, known: Known) -> Iterator[tuple[str, str]]:
    """What a finding is about, and a sentence; the same name that is not there is said once for a line."""
    told = known.get(use.path)
    if isinstance(told, Missing) and use.kind != "call" and f"{told.owner}.{told.name}" not in _PLUGINS:
        # `from torch.optim import Lion` says it; its uses need not
        yield f"{told.owner}.{told.name}", f"`{told.owner}` has no `{told.name}`{_near(told)}"
    elif isinstance(told, There) and told.signature is not None and use.kind == "call":
        for about, wrong in misfits(use.shape, told.signature, known):
            yield about, f"{shown(use.path)} {wrong}"


def _near(missing: Missing) -> str:
    return did_you_mean(missing.name, missing.near) if missing.near else ""


def shown(path: str) -> str:
    """`torch.optim.Adam.step` for `torch.optim.Adam().step`."""
    plain = f"`{path.replace('()', '')}`"
    return f"what {plain} gives" if path.endswith("()") else plain


def misfits(shape: Shape, signature: Signature, known: Known) -> Iterator[tuple[str, str]]:
    """What is wrong with a call. `known` is asked for the pool of names that an open function takes."""
    unknown = [name for name in shape.keywords if not _takes(name, shape, signature, known)]
    for name in unknown:
        yield name, f"takes no argument `{name}`{_meant(name, signature, known)}"
    if signature.names_only or unknown:
        return
    places = [p for p in signature.parameters if p.kind != "ko"]
    if not signature.args and shape.positional > len(places):
        most = f"at most {plural(len(places), 'argument')} without a name" if places else "no arguments without a name"
        yield "positional", f"takes {most}, not {shape.positional}{_it_takes(signature)}"
        return
    if shape.starred or shape.partial:
        return
    taken = places[: shape.positional]
    if twice := [p.name for p in taken if p.kind != POSITIONAL and p.name in shape.keywords]:
        yield twice[0], f"is given `{twice[0]}` twice: by its place and by its name{_it_takes(signature)}"
    if shape.doubled or signature.also:
        return
    given = {p.name for p in taken} | (set(shape.keywords) & set(signature.by_name))
    if needed := [p.name for p in signature.parameters if p.required and p.name not in given]:
        yield "missing", f"needs {_ticked(needed)}, which the call does not give{_it_takes(signature)}"


def _takes(name: str, shape: Shape, signature: Signature, known: Known) -> bool:
    if name in signature.by_name or name in signature.also:
        return True
    if not signature.kwargs:
        return False
    pool = known.get(pool_key(signature.pool))
    closed = signature.pool and isinstance(pool, Pool) and not signature.unless & set(shape.keywords)
    return not closed or (isinstance(pool, Pool) and name in pool.names) or shape.doubled


def _meant(name: str, signature: Signature, known: Known) -> str:
    near = did_you_mean(name, signature.by_name)
    if "did you mean" in near:
        return near
    if not signature.kwargs:
        return _it_takes(signature)
    pool = known.get(pool_key(signature.pool))
    likely = difflib.get_close_matches(name, pool.names if isinstance(pool, Pool) else (), n=1, cutoff=_LIKELY)
    if likely:
        return f' (did you mean "{likely[0]}"?)'
    handed = ", and neither does what it hands its other arguments to" if isinstance(pool, Pool) else ""
    return f"{handed}{_it_takes(signature)}"


def _it_takes(signature: Signature) -> str:
    names = [p.name if p.required else f"{p.name}=…" for p in signature.parameters]
    if not names:
        return "; it takes none" if not (signature.args or signature.kwargs) else ""
    more = ", …" if len(names) > _LISTED else ""
    return f"; it takes {', '.join(names[:_LISTED])}{more}"


def _ticked(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
