"""Runs in the experiment's interpreter, which may be old (Python 3.6 is enough): says what there is and how it is called.

In: JSON on stdin, {"names": [paths], "pools": …, "open": …} (core/open_names.py). Out: one line of JSON behind MARK, path →
{"is": "missing" | "there" | "unknown", …} as core/known.py reads it. Whatever goes wrong with a name makes it unknown.
"""

import ast
import dis
import fnmatch
import glob
import importlib
import inspect
import json
import os
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

MARK = "ai-scientist-signatures:"
TORCH_RENAMES = {"dim": ("axis",), "keepdim": ("keepdims",), "input": ("x", "a", "x1"), "other": ("x2",)}  # as in NumPy
TORCH_MAKERS = """
zeros ones empty full rand randn randint randperm arange linspace logspace eye tensor as_tensor from_numpy stack cat
zeros_like ones_like rand_like randn_like full_like empty_like matmul einsum where exp log sqrt relu sigmoid tanh
"""
SELF = "to cuda cpu half float double bfloat16 eval train requires_grad_ type"  # of modules: they give themselves back
KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: "po",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "pk",
    inspect.Parameter.KEYWORD_ONLY: "ko",
}
RESTORING = {"__setstate__", "__getstate__", "__reduce__", "__reduce_ex__", "__copy__", "__deepcopy__", "__dir__"}
UNKNOWN: Any = {"is": "unknown"}


class Unclear(Exception):
    """This cannot be told."""


class Missing(Exception):
    def __init__(self, owner: str, name: str, there: Any) -> None:
        self.owner, self.name, self.there = owner, name, there


class Instance:
    """An object of a class. `exact`: it is of no subclass, so that what the class lacks is not there."""

    def __init__(self, classes: Any, exact: bool) -> None:
        self.classes, self.exact = classes, exact


class Method:
    """A function or a method of C that is called on an instance; the first parameter is taken already."""

    def __init__(self, function: Any, owner: Any, hidden: bool) -> None:
        self.function, self.owner, self.hidden = function, owner, hidden


# --- from a path to an object ---


def find(path: str) -> Any:
    parts = path.split(".")
    found = importing(parts[0].replace("()", ""), path)
    done = parts[0].replace("()", "")
    for number, part in enumerate(parts):
        name = part.replace("()", "")
        if number:
            found = attribute(found, name, done)
            done += "." + name
        for _ in range(part.count("()")):
            found = result(found, name)
    return found


def importing(name: str, path: str) -> Any:
    try:
        return importlib.import_module(name)
    except BaseException:  # noqa: BLE001  a library may do anything when it is imported
        raise Unclear(name) from None


def attribute(found: Any, name: str, done: str) -> Any:
    if isinstance(found, Instance):
        return of_instance(found, name, done)
    if isinstance(found, Method):
        raise Unclear(name) from None
    try:
        return getattr(found, name)
    except AttributeError:
        pass
    except BaseException:  # noqa: BLE001
        raise Unclear(name) from None
    if isinstance(found, types.ModuleType):
        return submodule(found, name, done)
    if isinstance(found, type) and not defines(type(found), "__getattr__", type):
        raise Missing(done, name, dir(found))
    raise Unclear(name) from None


def submodule(module: Any, name: str, done: str) -> Any:
    full = module.__name__ + "." + name
    try:
        return importlib.import_module(full)
    except ImportError as problem:
        if getattr(problem, "name", None) != full:
            raise Unclear(name) from None
    except BaseException:  # noqa: BLE001
        raise Unclear(name) from None
    if type(module) is types.ModuleType or type(module).__name__ == "_LazyModule":
        raise Missing(done, name, dir(module))
    raise Unclear(name) from None


def of_instance(instance: Any, name: str, done: str) -> Any:
    for cls in instance.classes:
        for base in cls.__mro__:
            if name in vars(base):
                return bound(vars(base)[name], cls, name)
    cls = instance.classes[0]
    if not instance.exact or is_open(cls):
        raise Unclear(name) from None
    there = set(dir(cls)) | stored(cls)
    if name in there:
        raise Unclear(name)  # set by __init__: who knows to what
    raise Missing(done, name, there)


def bound(raw: Any, cls: Any, name: str) -> Any:
    if any(own_store(base, name) for base in cls.__mro__):
        raise Unclear(name) from None
    if isinstance(raw, staticmethod):
        return raw.__func__
    if isinstance(raw, classmethod):
        return getattr(cls, name)
    if isinstance(raw, types.FunctionType) or inspect.ismethoddescriptor(raw):
        return Method(raw, cls, isinstance(raw, types.FunctionType))
    raise Unclear(name) from None


def result(found: Any, name: str) -> Any:
    """What a call gives."""
    if isinstance(found, Method):
        if name in SELF.split() and is_module(found.owner):
            return Instance([found.owner], False)
        return annotated(found.function, found.owner)
    if isinstance(found, type):
        if type(found).__call__ is not type.__call__:
            raise Unclear(name) from None
        new: Any = found.__new__
        return Instance([found], is_module(found) or new is object.__new__ or not is_python(new))
    owner = getattr(found, "__self__", None)
    if name == "from_pretrained" and isinstance(owner, type):
        return pretrained(owner)
    if isinstance(owner, type):
        return annotated(found, owner)
    torch: Any = sys.modules.get("torch")
    if torch is not None and name in TORCH_MAKERS.split() and found is getattr(torch, name, None):
        return Instance([torch.Tensor], True)
    raise Unclear(name) from None


def pretrained(owner: Any) -> Any:
    """Of AutoModelForCausalLM it is some model; of a model's class, that one."""
    place = owner.__module__
    if place.startswith(("transformers.models.auto.modeling_auto", "transformers.models.auto.auto_factory")):
        import transformers

        return Instance([transformers.PreTrainedModel, transformers.GenerationMixin], False)
    if place.startswith("transformers.models.auto.tokenization_auto"):
        import transformers

        return Instance([transformers.PreTrainedTokenizerBase], False)
    if place.startswith("transformers.models.auto"):
        raise Unclear(place) from None
    return Instance([owner], False)


def annotated(function: Any, owner: Any) -> Any:
    """A method that says that it returns its own class."""
    said = getattr(inspect.unwrap(function), "__annotations__", {}).get("return")
    name = getattr(said, "__name__", said)
    if said is owner or name in (owner.__name__, "Self"):
        return Instance([owner], False)
    raise Unclear(name) from None


# --- what instances have ---


def functions_of(cls: Any) -> Iterator[Any]:
    for name, value in list(vars(cls).items()):
        plain = getattr(value, "__func__", value)
        for one in [plain] if not isinstance(plain, property) else [plain.fget, plain.fset]:
            if isinstance(one, types.FunctionType):
                yield name, inspect.unwrap(one).__code__


def codes(code: Any) -> Iterator[Any]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def stored(cls: Any) -> Any:
    """Names that the code of its classes, or of their modules, sets on something."""
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


STORES: Any = {}


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


def defines(cls: Any, name: str, *but: Any) -> bool:
    return any(name in vars(base) for base in cls.__mro__ if base not in but and base is not object)


def is_module(cls: Any) -> bool:
    torch: Any = sys.modules.get("torch")
    module = getattr(getattr(torch, "nn", None), "Module", None)
    return module is not None and isinstance(cls, type) and issubclass(cls, module)


def is_open(cls: Any) -> bool:
    """Whether its instances may have attributes of any name."""
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
            if any(set(code.co_names) & {"setattr", "__dict__", "vars"} for code in codes(top)):
                return True
    return False


# --- how something is called ---


def is_python(function: Any) -> bool:
    return isinstance(getattr(function, "__func__", function), types.FunctionType)


def call_of(found: Any, tables: Any) -> Any:
    """How `found` may be called, or None."""
    if isinstance(found, Method):
        if not found.hidden:
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
        if inner is None or inspect.Parameter.VAR_KEYWORD not in kinds:
            break
        also |= words_of(function) | {p.name for p in parameters if p.kind in KINDS}
        if not isinstance(inner, types.FunctionType):
            return None
        function = inner
    told = listed(parameters, skipped)
    if told is None:
        return None
    told["also"] = sorted(also - {"self", "cls", "args", "kwargs"})
    if told["kwargs"]:
        told.update(opened(function, tables))
    return told


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


def listed(parameters: Any, skipped: int) -> Any:
    plain = [p for p in parameters if p.kind in KINDS]
    kinds = {p.kind for p in parameters}
    for _ in range(skipped):
        if plain and KINDS[plain[0].kind] != "ko":
            plain = plain[1:]
        elif inspect.Parameter.VAR_POSITIONAL not in kinds:
            return None
    return {
        "params": [[p.name, KINDS[p.kind], p.default is inspect.Parameter.empty] for p in plain],
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
    torch: Any = sys.modules.get("torch")
    if torch is not None and getattr(torch, function.__name__, None) is function:
        return of_torch(function.__name__, "_C/_VariableFunctions.pyi")
    nn = getattr(getattr(torch, "_C", None), "_nn", None)
    if nn is not None and getattr(nn, function.__name__, None) is function:
        return of_torch(function.__name__, "_C/_nn.pyi")
    if not getattr(function, "__text_signature__", None):
        return None
    return listed(inspect.signature(function).parameters.values(), 0)


def of_torch(name: str, stub: str) -> Any:
    """Functions of C say nothing; torch's stubs name the arguments of all their overloads."""
    text = read(os.path.join(os.path.dirname(str(sys.modules["torch"].__file__)), stub))
    names: Any = set()
    for arguments in definitions(text, name):
        names |= set(arguments)
    if not names:
        return None
    for here, others in TORCH_RENAMES.items():
        names |= set(others) if here in names else set()
    names -= {"self"}
    return {"params": [[n, "ko", False] for n in sorted(names)], "args": True, "kwargs": False, "names_only": True}


# --- sources ---

TEXTS: Any = {}


def read(path: str) -> str:
    if path not in TEXTS:
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                TEXTS[path] = stream.read()
        except OSError:
            TEXTS[path] = ""
    return str(TEXTS[path])


def definitions(text: str, name: str) -> Iterator[Any]:
    """The parameters' names of each `def name(…)` in a text; of each function, if the name is "*"."""
    for found in re.finditer(r"\bdef %s\(" % (r"\w+" if name == "*" else re.escape(name)), text):
        end, depth = found.end(), 1
        while depth and end < len(text):
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text[end], 0)
            end += 1
        try:
            taken = ast.parse("def f(" + text[found.end() : end] + ": pass").body[0].args  # type: ignore[attr-defined]
        except (SyntaxError, ValueError):
            continue
        yield [a.arg for a in getattr(taken, "posonlyargs", []) + taken.args + taken.kwonlyargs]
        if taken.vararg:
            yield [taken.vararg.arg]


def pool_of(recipe: Any) -> Any:
    names: Any = set()
    for step in recipe:
        more = gathered(step)
        if not more:
            return None
        names |= more
    return sorted(names - {"self", "cls"})


def gathered(step: Any) -> Any:
    how, where = step[0], step[1]
    if how == "names":
        return set(step[1:])
    if how == "at least":
        version = getattr(importlib.import_module(where), "__version__", "0")
        return {""} if int(version.split(".")[0]) >= int(step[2]) else set()
    names: Any = set()
    for path in sources(where):
        text = read(path)
        if how == "parameters":
            for arguments in definitions(text, step[2]):
                names |= set(arguments)
        elif how == "strings":
            names |= set(re.findall(r"""["']([A-Za-z_]\w*)["']""", text))
        elif how == "fields":
            names |= set(fields(text))
        elif how == "initial":
            for chunk in re.split(r"(?m)^class ", text)[1:]:
                if re.match("(?:" + step[2] + r")\b", chunk):
                    names |= set(next(definitions(chunk, "__init__"), []))
    return names


def fields(text: str) -> Iterator[str]:
    for one, other in re.findall(r"(?m)^    (\w+)\s*(?::|=[^=])|^ +self\.(\w+)(?: =|:) ", text):
        yield one or other


def sources(where: str) -> Any:
    """Files of a package, or of the standard library."""
    top, _, rest = where.partition("/")
    module = importlib.import_module(top[:-3] if top.endswith(".py") else top)
    if not rest:
        return [module.__file__]
    return sorted(glob.glob(os.path.join(os.path.dirname(str(module.__file__)), rest)))


# --- the answer ---


def near(name: str, there: Any) -> Any:
    import difflib

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


def main() -> None:
    answers_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print
    tables = json.load(sys.stdin)
    answers = {path: told(path, tables) for path in tables["names"]}
    pools: Any = {(answer.get("call") or {}).get("pool") for answer in answers.values()} - {None, ""}
    for pool in pools:
        try:
            names = pool_of(tables["pools"][pool])
        except Exception:  # noqa: BLE001
            names = None
        answers["pool " + pool] = {"is": "pool", "names": names} if names else UNKNOWN
    answers_to.write("\n" + MARK + json.dumps(answers) + "\n")
    answers_to.flush()


if __name__ == "__main__":
    main()
