"""Pictures within a page: SVG whose text is text and whose names are its own, and PNG as they are."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
#: elements that a page has no use for: who made it, and a style that would be the whole page's
DROPPED = (f"{SVG}metadata", f"{SVG}style")
#: bytes of a picture that goes into a page; a larger one is none that `mertk plot` drew
LARGEST_PICTURE = 4_000_000
PNG_HEAD = b"\x89PNG\r\n\x1a\n"


class PagePictures:
    """Makes the pictures of one page, whose names must not be those of another picture."""

    def __init__(self) -> None:
        self._count = 0

    def draw(self, label: str, save: Callable[[Path], object]) -> str:
        """The markup of a picture.

        Args:
            label: what it shows, for those who do not see it.
            save: writes it as a file of a name that ends in .svg.
        """
        self._count += 1
        with TemporaryDirectory(prefix="mertk_page_") as folder:
            file = Path(folder) / "picture.svg"
            save(file)
            return inline_svg(file.read_text(encoding="utf-8"), f"picture{self._count}", label)

    def draw_figure(self, label: str, figure: Figure) -> str:
        from mertk.report.plots import save_figure

        return self.draw(label, lambda path: save_figure(figure, path))


def inline_svg(text: str, prefix: str, label: str) -> str:
    """An SVG file as an element of a page; every name in it begins with `prefix`.

    Within a page elements need no namespaces, and names are those of all of its pictures.
    """
    root = ElementTree.fromstring(text)
    for parent in list(root.iter()):
        for child in [one for one in parent if one.tag in DROPPED]:
            parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        for name, value in list(element.attrib.items()):
            del element.attrib[name]
            if name == "id":
                element.set("id", f"{prefix}-{value}")
            elif name in (LINK, "href"):
                element.set("href", f"#{prefix}-{value[1:]}" if value.startswith("#") else value)
            elif not name.startswith("{"):
                element.set(name, re.sub(r"url\(#", f"url(#{prefix}-", value))
    root.attrib.pop("version", None)
    width = float(root.get("width", "0").removesuffix("pt"))
    root.attrib |= {"width": f"{width:g}pt", "role": "img", "aria-label": label}
    # The view box gives the height, at whatever width there is room for.
    root.attrib.pop("height", None)
    return ElementTree.tostring(root, encoding="unicode")


def data_uri(media_type: str, content: bytes) -> str:
    """Content within a page."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def read_png(path: Path) -> str | None:
    """A PNG file as a data URI; None where it is none, or too large."""
    if not path.is_file() or path.stat().st_size > LARGEST_PICTURE:
        return None
    content = path.read_bytes()
    return data_uri("image/png", content) if content.startswith(PNG_HEAD) else None
