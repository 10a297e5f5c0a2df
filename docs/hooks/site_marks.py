"""Marks in documents, `<!-- site: NAME ARGUMENT -->`, in whose place the site has what the code knows."""

from __future__ import annotations

import re
from collections.abc import Callable

from site_commands import describe_commands
from site_licences import describe_licences
from site_results import show_results
from site_settings import describe_arguments, describe_settings

MARK = re.compile(r"^<!-- site: (\w+)(?: (\S+))? -->$", re.MULTILINE)
WRITERS: dict[str, Callable[..., str]] = {
    "arguments": describe_arguments,
    "commands": describe_commands,
    "licences": describe_licences,
    "results": show_results,
    "settings": describe_settings,
}


def fill(markdown: str) -> str:
    """The text of a page with what its marks stand for.

    Raises:
        KeyError: nothing is called so.
    """
    filled = MARK.sub(lambda mark: WRITERS[mark[1]](*filter(None, [mark[2]])), markdown)
    # GitHub wants a stroke in the code of a table escaped, and mkdocs shows it so.
    return re.sub(r"`[^`\n]*`", lambda code: code[0].replace("\\|", "|"), filled)
