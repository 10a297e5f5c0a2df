"""The commands that install what is missing, such as can be called where this runs: from a checkout or from a wheel."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
#: the versions that everything is tested with; a link to the file beside mertk, inside a wheel the file itself
CONSTRAINTS = PACKAGE / "constraints.txt"


def installing(*packages: str) -> str:
    """The command that installs packages into the environment that this runs in, in the versions that are tested.

    >>> installing("av")
    '/.../python -m pip install -c /.../mertk/constraints.txt av'
    """
    python = [sys.executable, "-m", "pip", "install"]
    if find_spec("pip") is None:  # an environment that uv made
        python = ["uv", "pip", "install", "--python", sys.executable]
    return shlex.join([*python, "-c", str(CONSTRAINTS), *packages])


def installing_extra(name: str = "") -> str:
    """The command that installs mertk with what an extra of setup.cfg names; without a name, with what it needs."""
    extra = f"[{name}]" if name else ""
    if (PACKAGE.parent / "setup.cfg").is_file():  # a checkout
        return installing("-e", f"{PACKAGE.parent}{extra}")
    return installing(f"mertk{extra}")
