"""What a path stands for: the objects, and what stands for those that exist only while an experiment runs."""

import importlib
import importlib.util
import sys
import types
from typing import Any


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

    def __init__(self, function: Any, owner: Any, instance: Any) -> None:
        self.function, self.owner, self.instance = function, owner, instance


def importing(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except BaseException:  # noqa: BLE001  a library may do anything when it is imported
        raise Unclear(name) from None


def of_object(found: Any, name: str, done: str) -> Any:
    """An attribute of a module, a class or a value; `done` is the path that led to it."""
    try:
        return getattr(found, name)
    except AttributeError:
        pass
    except BaseException:  # noqa: BLE001
        raise Unclear(name) from None
    if isinstance(found, types.ModuleType):
        return submodule(found, name, done)
    if hasattr(sys.modules.get(done), name):
        return getattr(sys.modules[done], name)  # of a module that is hidden by a name of its package
    if isinstance(found, type) and not defines(type(found), "__getattr__", type) and not is_importable(done):
        raise Missing(done, name, dir(found))
    raise Unclear(name)


def is_source(module: Any) -> bool:
    return str(getattr(module, "__file__", "")).endswith(".py")


def is_importable(done: str) -> bool:
    try:
        return "." in done and importlib.util.find_spec(done) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def submodule(module: Any, name: str, done: str) -> Any:
    full = module.__name__ + "." + name
    try:
        return importlib.import_module(full)
    except ImportError as problem:
        if getattr(problem, "name", None) != full:
            raise Unclear(name) from None
    except BaseException:  # noqa: BLE001
        raise Unclear(name) from None
    is_of_this_build = any(part.startswith("_") for part in module.__name__.split(".")) and not is_source(module)
    if (type(module) is types.ModuleType or type(module).__name__ == "_LazyModule") and not is_of_this_build:
        raise Missing(done, name, dir(module))
    raise Unclear(name)


def is_python(function: Any) -> bool:
    return isinstance(getattr(function, "__func__", function), types.FunctionType)


def defines(cls: Any, name: str, *but: Any) -> bool:
    return any(name in vars(base) for base in cls.__mro__ if base not in but and base is not object)


def is_module(cls: Any) -> bool:
    torch: Any = sys.modules.get("torch")
    module = getattr(getattr(torch, "nn", None), "Module", None)
    return module is not None and isinstance(cls, type) and issubclass(cls, module)
