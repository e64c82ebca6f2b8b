"""What the instances of a class have, as far as its code tells: nothing is made or called."""

import dis
import inspect
import sys
import types
from typing import Any, Iterator

from agent.runners.asking.objects import Method, Missing, Unclear, is_module

# What they do to attributes is to save and restore those that are there.
RESTORING = {
    "state_dict",
    "load_state_dict",
    "__repr__",
    "__setstate__",
    "__getstate__",
    "__reduce__",
    "__reduce_ex__",
    "__copy__",
    "__deepcopy__",
    "__dir__",
}
STORES: Any = {}
STORED: Any = {}
OPEN: Any = {}


def of_instance(instance: Any, name: str, done: str) -> Any:
    for cls in instance.classes:
        for base in cls.__mro__:
            if name in vars(base):
                return bound(vars(base)[name], cls, name, instance)
    cls = instance.classes[0]
    if not instance.exact or is_open(cls):
        raise Unclear(name)
    there = set(dir(cls)) | stored(cls)
    if name in there:
        raise Unclear(name)  # set by __init__: who knows to what
    own = done.endswith("." + cls.__name__)
    raise Missing(done if own else cls.__module__ + "." + cls.__qualname__, name, there)


def bound(raw: Any, cls: Any, name: str, instance: Any) -> Any:
    if name != "generate" and any(own_store(base, name) for base in cls.__mro__):
        raise Unclear(name)  # (transformers sets `generate` only where a repository brings its own)
    if isinstance(raw, staticmethod):
        return raw.__func__
    if isinstance(raw, classmethod):
        return getattr(cls, name)
    if isinstance(raw, types.FunctionType) or inspect.ismethoddescriptor(raw):
        return Method(raw, cls, instance)
    raise Unclear(name)


def functions_of(cls: Any) -> Iterator[Any]:
    for name, value in list(vars(cls).items()):
        plain = getattr(value, "__func__", value)
        for one in [plain] if not isinstance(plain, property) else [plain.fget, plain.fset]:
            inner = inspect.unwrap(one) if isinstance(one, types.FunctionType) else None
            if isinstance(inner, types.FunctionType):
                yield name, inner.__code__


def codes(code: Any) -> Iterator[Any]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def stored(cls: Any) -> Any:
    """Names that the code of its classes, or of their modules, sets on something."""
    if cls not in STORED:
        STORED[cls] = all_stored(cls)
    return STORED[cls]


def all_stored(cls: Any) -> Any:
    names = set()
    for base in cls.__mro__:
        names |= set(getattr(base, "__annotations__", {}))
        module = sys.modules.get(base.__module__)
        own = [code for _, code in functions_of(base)]
        near = [v.__code__ for v in list(vars(module).values()) if isinstance(v, types.FunctionType)] if module else []
        for top in own + near:
            for code in codes(top):
                names |= {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_ATTR"}
                names |= {c for c in code.co_consts if isinstance(c, str) and c.isidentifier()}
    return names


def own_store(cls: Any, name: str) -> bool:
    """Whether a method sets `self.name`, so that the instance hides what its class has."""
    if cls not in STORES:
        names, last = set(), None
        for _, top in functions_of(cls):
            for code in codes(top):
                for instruction in dis.get_instructions(code):
                    if instruction.opname == "STORE_ATTR" and "self" in str(last):
                        names.add(instruction.argval)
                    last = instruction.argval if instruction.opname != "CACHE" else last
        STORES[cls] = names
    return name in STORES[cls]


def is_open(cls: Any) -> bool:
    """Whether its instances may have attributes of any name."""
    if cls not in OPEN:
        OPEN[cls] = takes_any_name(cls)
    return bool(OPEN[cls])


def takes_any_name(cls: Any) -> bool:
    known: Any = (object,)
    if is_module(cls):  # looks for parameters, buffers and modules, which are set or registered by name
        known = (object, sys.modules["torch"].nn.Module)
    for base in cls.__mro__:
        if base in known:
            continue
        if "__getattr__" in vars(base) or "__getattribute__" in vars(base):
            return True
        for name, top in functions_of(base):
            if name in RESTORING:
                continue
            if any(map(sets_any_name, codes(top))):
                return True
    return False


def sets_any_name(code: Any) -> bool:
    """`setattr(self, name, …)`, `self.__dict__.update(…)`, `vars(self)[name] = …`"""
    names = set(code.co_names)
    steps = [step for step in dis.get_instructions(code) if step.opname not in ("CACHE", "PUSH_NULL", "PRECALL")]
    if names & {"__dict__", "vars"}:
        return "update" in names or any(step.opname == "STORE_SUBSCR" for step in steps)
    itself = (code.co_varnames or ("self",))[0]
    after = [str(following.argval) for step, following in zip(steps, steps[1:]) if step.argval == "setattr"]
    return any("self" in said or itself in said for said in after)
