"""What is known about a dotted name: what the experiment's interpreter, or a frozen file, said about it.

Everything here comes from JSON and may be from an older version of this program: what cannot be read is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

POSITIONAL, EITHER, NAMED = "po", "pk", "ko"  # kinds of parameters


@dataclass(frozen=True)
class Parameter:
    name: str
    kind: str = EITHER
    required: bool = False


@dataclass(frozen=True)
class Signature:
    """How something may be called. `names_only`: neither how many arguments it takes, nor which it needs, is known."""

    parameters: tuple[Parameter, ...] = ()
    args: bool = False  # *args
    kwargs: bool = False  # **kwargs
    also: frozenset[str] = frozenset()  # names that a decorator around it may take
    names_only: bool = False
    pool: str = ""  # of names that its **kwargs may be; "": any
    unless: frozenset[str] = frozenset()  # arguments with which **kwargs may be anything all the same

    @property
    def by_name(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters if parameter.kind != POSITIONAL)

    def to_json(self) -> dict[str, Any]:
        listed = [[p.name, p.kind, p.required] for p in self.parameters]
        return {"params": listed, "args": self.args, "kwargs": self.kwargs, "names_only": self.names_only}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Signature:
        return Signature(
            tuple(Parameter(str(name), str(kind), bool(required)) for name, kind, required in data["params"]),
            bool(data.get("args")),
            bool(data.get("kwargs")),
            frozenset(map(str, data.get("also", ()))),
            bool(data.get("names_only")),
            str(data.get("pool") or ""),
            frozenset(map(str, data.get("unless", ()))),
        )


@dataclass(frozen=True)
class Missing:
    owner: str  # "torch.optim"
    name: str
    near: tuple[str, ...] = ()


@dataclass(frozen=True)
class There:
    signature: Signature | None = None  # None: nothing is known about how it is called


@dataclass(frozen=True)
class Unknown:
    """The interpreter could not tell; so nothing is said."""


@dataclass(frozen=True)
class Pool:
    names: frozenset[str]


Answer = Missing | There | Unknown | Pool
Known = Mapping[str, Answer]


def pool_key(pool: str) -> str:
    return f"pool {pool}"  # no dotted name holds a blank


def answer(data: Any) -> Answer:
    try:
        return _answer(data)
    except (KeyError, TypeError, ValueError, AttributeError):
        return Unknown()


def chosen(names: Iterable[str], kept: Mapping[str, Any]) -> dict[str, Answer]:
    """Of answers as they are kept: those about `names`, and the pools that they point to."""
    told = {name: answer(kept[name]) for name in names if name in kept}
    calls = [one.signature for one in told.values() if isinstance(one, There) and one.signature is not None]
    pools = {pool_key(call.pool) for call in calls if call.pool}
    return told | {key: answer(kept[key]) for key in pools if key in kept}


def _answer(data: Mapping[str, Any]) -> Answer:
    if data["is"] == "missing":
        return Missing(str(data["owner"]), str(data["name"]), tuple(map(str, data.get("near", ()))))
    if data["is"] == "there":
        return There(Signature.from_json(data["call"]) if data.get("call") else None)
    if data["is"] == "pool":
        return Pool(frozenset(map(str, data["names"])))
    return Unknown()
