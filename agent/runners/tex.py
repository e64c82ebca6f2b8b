"""Where this machine's TeX keeps what it reads: fonts, classes, formats, configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_VARIABLES = ("TEXMFROOT", "TEXMFDIST", "TEXMFLOCAL", "TEXMFSYSVAR", "TEXMFSYSCONFIG")
_PATIENCE = 20.0


def folders() -> tuple[str, ...]:
    """Folders that exist, resolved; none where there is no TeX. Those in a home folder are the user's, and left out."""
    program = shutil.which("kpsewhich")
    if program is None:
        return ()
    try:
        found = [
            subprocess.run([program, f"-var-value={name}"], capture_output=True, text=True, timeout=_PATIENCE).stdout
            for name in _VARIABLES
        ]
    except (OSError, subprocess.TimeoutExpired):
        return ()
    paths = {os.path.realpath(path) for path in map(str.strip, found) if path.startswith("/")}
    return tuple(sorted(path for path in paths if path != "/" and Path(path).is_dir()))
