"""ai-scientist: from an idea to runs, notes and a paper whose numbers were measured."""

__version__ = "0.1.0"
