"""All that was said to the model and by it, as Markdown for people: .study/llm/chat.md."""

from __future__ import annotations

from collections.abc import Iterable

from agent.core.prompt import Prompt, Reply


def markdown(calls: Iterable[tuple[Prompt, Reply]]) -> str:
    """The stable part once, then each request and its reply; of the files only names, since `git show` has them."""
    parts, told = ["# Chat\n"], ""
    for prompt, reply in calls:
        if prompt.stable != told:
            told = prompt.stable
            parts.append(f"## Told first in each of these\n\n{_quoted(told)}\n")
        files = ", ".join(f"`{name}`" for name, _ in prompt.files)
        parts.append(f"## {prompt.call}: {prompt.run}, turn {prompt.turn}\n\n{_quoted(prompt.request)}\n")
        parts.append(
            f"Shown with it: {files or 'no file'}.\n\n### {reply.model}, {_bill(reply)}\n\n{reply.text.strip()}\n"
        )
    return "\n".join(parts)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def _bill(reply: Reply) -> str:
    told = [f"{reply.usage[key]:,} {key.removesuffix('_tokens').replace('_', ' ')} tokens"
            for key in ("prompt_tokens", "completion_tokens") if reply.usage.get(key)]  # fmt: skip
    told += [f"${reply.cost:.4f}"] if reply.cost else []
    told += ["not confirmed by the provider"] if reply.estimated else []
    told += [f"cut ({reply.finish})"] if reply.finish != "stop" else []
    return ", ".join([*told, f"{reply.seconds:.0f} s"])
