"""How an object may be called, or None where that cannot be told for sure."""

import fnmatch
import inspect
import sys
import types
from typing import Any

from agent.runners.asking.instances import codes
from agent.runners.asking.objects import Instance, Method, is_module, is_python
from agent.runners.asking.sources import of_torch

KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: "po",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "pk",
    inspect.Parameter.KEYWORD_ONLY: "ko",
}


def call_of(found: Any, tables: Any) -> Any:
    """How `found` may be called, or None."""
    if isinstance(found, Method):
        if not isinstance(found.function, types.FunctionType):
            return of_torch(found.function.__name__, "_C/__init__.pyi") if in_torch(found.owner) else None
        return of_function(found.function, 1, tables)
    if isinstance(found, Instance):
        return of_called_instance(found, tables)
    if isinstance(found, type):
        return of_class(found, tables)
    if isinstance(found, types.MethodType):
        return of_function(found.__func__, 1, tables) if isinstance(found.__func__, types.FunctionType) else None
    if isinstance(found, types.FunctionType):
        return of_function(found, 0, tables)
    if type(found).__name__ == "_ArrayFunctionDispatcher":  # NumPy
        return call_of(getattr(found, "_implementation", None), tables)
    if isinstance(found, types.BuiltinFunctionType):
        return of_builtin(found)
    if type(found).__name__ == "_lru_cache_wrapper":
        return call_of(found.__wrapped__, tables)
    return None


def in_torch(thing: Any) -> bool:
    return (getattr(thing, "__module__", None) or "").split(".")[0] == "torch"


def of_called_instance(instance: Any, tables: Any) -> Any:
    for cls in instance.classes:
        if is_module(cls):
            forward = getattr(cls, "forward", None)
            return of_function(forward, 1, tables) if instance.exact and is_python(forward) else None
        for base in cls.__mro__:
            if isinstance(vars(base).get("__call__"), types.FunctionType):
                return of_function(vars(base)["__call__"], 1, tables)
    return None


def of_class(cls: Any, tables: Any) -> Any:
    if type(cls).__call__ is not type.__call__ or any("__signature__" in vars(base) for base in cls.__mro__):
        return None
    new, init = cls.__new__, cls.__init__
    if isinstance(new, types.FunctionType):
        made = of_function(new, 1, tables)
        return made if made and not (made["args"] or made["kwargs"]) else None
    if isinstance(init, types.FunctionType):
        return of_function(init, 1, tables)
    return None


def of_function(function: Any, skipped: int, tables: Any) -> Any:
    also: Any = set()
    while True:
        if "__signature__" in vars(function):
            return None
        parameters = list(inspect.signature(function, follow_wrapped=False).parameters.values())
        kinds = {p.kind for p in parameters}
        inner = vars(function).get("__wrapped__")
        is_copy = getattr(inner, "__code__", None) is function.__code__
        if inner is None or is_copy or inspect.Parameter.VAR_KEYWORD not in kinds:
            break
        also |= words_of(function) | {p.name for p in parameters if p.kind in KINDS}
        if not isinstance(inner, types.FunctionType):
            return None
        function = inner
    told = listed(parameters, skipped, with_default(function))
    if told is None:
        return None
    told["also"] = sorted(also - {"self", "cls", "args", "kwargs"})
    if told["kwargs"]:
        told.update(opened(function, tables))
    return told


def with_default(function: Any) -> Any:
    """Names of parameters with a default; a signature alone does not show one that is `Parameter.empty`."""
    code, defaults = function.__code__, function.__defaults__ or ()
    plain = code.co_varnames[: code.co_argcount]
    return set(plain[len(plain) - len(defaults) :]) | set(function.__kwdefaults__ or {})


def words_of(wrapper: Any) -> Any:
    """Names that a decorator's wrapper may know: its constants, and what it was made with (an old name, a new one)."""
    names = set()
    for code in codes(wrapper.__code__):
        names |= strings(code.co_consts)
    for cell in wrapper.__closure__ or ():
        try:
            names |= strings(cell.cell_contents)
        except ValueError:
            pass
    return names


def strings(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return {value} if value.isidentifier() else set()
    if isinstance(value, dict):
        value = list(value) + list(value.values())
    if isinstance(value, (list, tuple, set, frozenset)) and depth < 3:
        return set().union(*[strings(one, depth + 1) for one in value]) if value else set()
    return set()


def listed(parameters: Any, skipped: int, defaults: Any = ()) -> Any:
    plain = [p for p in parameters if p.kind in KINDS]
    kinds = {p.kind for p in parameters}
    for _ in range(skipped):
        if plain and KINDS[plain[0].kind] != "ko":
            plain = plain[1:]
        elif inspect.Parameter.VAR_POSITIONAL not in kinds:
            return None
    return {
        "params": [[p.name, KINDS[p.kind], p.default is p.empty and p.name not in defaults] for p in plain],
        "args": inspect.Parameter.VAR_POSITIONAL in kinds,
        "kwargs": inspect.Parameter.VAR_KEYWORD in kinds,
    }


def opened(function: Any, tables: Any) -> Any:
    where = function.__module__ + ":" + function.__qualname__
    for pattern, pool, unless in tables["open"]:
        if fnmatch.fnmatchcase(where, pattern):
            return {"pool": pool, "unless": unless}
    return {}


def of_builtin(function: Any) -> Any:
    name = function.__name__
    torch: Any = sys.modules.get("torch")
    for owner, stub in ((torch, "_VariableFunctions"), (getattr(getattr(torch, "_C", None), "_nn", None), "_nn")):
        if owner is not None and getattr(owner, name, None) is function:
            return of_torch(name, "_C/" + stub + ".pyi")
    if not getattr(function, "__text_signature__", None):
        return None
    return listed(inspect.signature(function).parameters.values(), 0)
