"""Links of documents that lead out of docs/: the site has a page of its own for each file that they lead to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCS = "docs"
#: folder of the site for what does not lie in docs/
OUTSIDE = "source"
PICTURES = (".png", ".svg")
#: a link or a picture of Markdown to a file: its place and, perhaps, a heading in it
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(#[^)\s]*)?(?=\))")
#: a picture of HTML in Markdown, which mkdocs leaves as it is
DRAWN = re.compile(r'\b(src|srcset)="([^":]+)"')
#: a link that is called as the document that it leads to
NAMED = re.compile(r"\[[\w./-]+\.md\]\((?=([\w./-]+\.md)[)#])")
#: how the lines of a file are coloured
LANGUAGES = {".py": "python", ".sh": "bash", ".yaml": "yaml", ".cfg": "ini", ".toml": "toml", ".json": "json"}


def relink(markdown: str, uri: str, titles: Mapping[str, str]) -> str:
    """The text of a page with its links as the site has them.

    Args:
        uri: of the page.
        titles: by the place of a document, how the navigation calls its page.
    """
    home = _folder(uri)

    def titled(link: re.Match) -> str:
        title = titles.get(_uri(posixpath.normpath(posixpath.join(home, link[1]))))
        return f"[{title}](" if title else link[0]

    def replaced(link: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(home, link[1]))
        if not (ROOT / target).exists():
            return link[0]  # for mkdocs to complain of
        return posixpath.relpath(_uri(target), posixpath.dirname(uri) or ".") + (link[2] or "")

    def drawn(picture: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(home, picture[2]))
        return f'{picture[1]}="{posixpath.relpath(_uri(target), _url(uri))}"'

    return DRAWN.sub(drawn, LINK.sub(replaced, NAMED.sub(titled, markdown)))


def titles_of(nav: Any) -> dict[str, str]:
    """By the place of a document, how a navigation, as mkdocs.yml has it, calls its page."""
    found: dict[str, str] = {}
    for entry in nav:
        for title, inner in entry.items() if isinstance(entry, dict) else ():
            found |= {inner: title} if isinstance(inner, str) else titles_of(inner)
    return found


def find_outside_files() -> dict[str, Path]:
    """By its place on the site, every file or folder outside docs/ that documents lead to, and what these lead to."""
    found: dict[str, Path] = {}
    waiting = [(path.read_text(encoding="utf-8"), DOCS) for path in sorted((ROOT / DOCS).glob("*.md"))]
    while waiting:
        text, home = waiting.pop()
        for link in LINK.finditer(text):
            target = posixpath.normpath(posixpath.join(home, link[1]))
            file, uri = ROOT / target, _uri(target)
            if uri in found or target.startswith(("../", f"{DOCS}/")) or not file.exists():
                continue
            found[uri] = file
            if file.suffix == ".md":
                waiting.append((file.read_text(encoding="utf-8"), posixpath.dirname(target)))
    return found


def page_of(file: Path) -> str:
    """A page that shows a file, or what is in a folder; searches are not led to it."""
    head = "---\nsearch: {exclude: true}\n---\n\n"
    if file.suffix == ".md":
        return head + file.read_text(encoding="utf-8")
    title = f"# {file.relative_to(ROOT)}\n\n"
    if file.is_dir():
        return head + title + _listing(file)
    text = file.read_text(encoding="utf-8").rstrip("\n")
    return f"{head}{title}``````{LANGUAGES.get(file.suffix, 'text')}\n{text}\n``````\n"


def _listing(folder: Path) -> str:
    """The files of a folder, each with the first line of what it says of itself."""
    lines = []
    for path in sorted(path for path in folder.iterdir() if path.suffix in LANGUAGES):
        text = path.read_text(encoding="utf-8")
        told = re.match(r'(?:#!.*\n)?(?:"""|# )(.+?)\.?(?:"""|\n)', text)
        lines.append(f"- `{path.name}`" + (f": {told[1]}" if told and told[1].strip() else "") + "\n")
    return "".join(lines)


def _uri(target: str) -> str:
    """Where the site has a file, whose place is that from the root of the checkout."""
    if target.startswith(f"{DOCS}/"):
        return target.removeprefix(f"{DOCS}/")
    is_whole = Path(target).suffix in (".md", *PICTURES)
    return f"{OUTSIDE}/{target}" + ("" if is_whole else ".md")


def _url(uri: str) -> str:
    """The folder that a browser sees a page in."""
    path = Path(uri)
    return str(path.parent if path.stem in ("index", "README") else path.with_suffix(""))


def _folder(uri: str) -> str:
    """The folder, from the root of the checkout, of the document that is a page of the site."""
    folder = posixpath.dirname(uri)
    if folder.split("/")[0] != OUTSIDE:
        return posixpath.join(DOCS, folder)
    return posixpath.relpath(folder, OUTSIDE)
