"""From a path to an object, by way of what calls give: `torch.optim.Adam().step`."""

import inspect
import sys
from typing import Any

from agent.runners.asking.instances import of_instance
from agent.runners.asking.objects import Instance, Method, Unclear, importing, is_module, is_python, of_object

TORCH_MAKERS = """
zeros ones empty full rand randn randint randperm arange linspace logspace eye tensor as_tensor from_numpy stack cat
zeros_like ones_like rand_like randn_like full_like empty_like matmul einsum where exp log sqrt relu sigmoid tanh
"""
SELF = "to cuda cpu half float double bfloat16 eval train requires_grad_ type"  # of modules: they give themselves back


def find(path: str) -> Any:
    parts = path.split(".")
    found = importing(parts[0].replace("()", ""))
    done = parts[0].replace("()", "")
    for number, part in enumerate(parts):
        name = part.replace("()", "")
        if number:
            found = attribute(found, name, done)
            done += "." + name
        for _ in range(part.count("()")):
            found = result(found, name)
    return found


def attribute(found: Any, name: str, done: str) -> Any:
    if isinstance(found, Instance):
        return of_instance(found, name, done)
    if isinstance(found, Method):
        raise Unclear(name)
    return of_object(found, name, done)


def result(found: Any, name: str) -> Any:
    """What a call gives."""
    if isinstance(found, Method):
        if name in SELF.split() and is_module(found.owner):
            return found.instance
        return annotated(found.function, found.owner)
    if isinstance(found, type):
        if type(found).__call__ is not type.__call__:
            raise Unclear(name)
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
    raise Unclear(name)


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
        raise Unclear(place)
    return Instance([owner], False)


def annotated(function: Any, owner: Any) -> Any:
    """A method that says that it returns its own class."""
    said = getattr(inspect.unwrap(function), "__annotations__", {}).get("return")
    name = getattr(said, "__name__", said)
    if said is owner or name in (owner.__name__, "Self"):
        return Instance([owner], False)
    raise Unclear(name)
