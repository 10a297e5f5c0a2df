"""A page as a browser shows it: measured by headless Chromium in frames of given widths."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

#: what is looked at in a frame, as JSON
_LOOK = """
(frame) => {
  const page = frame.contentDocument, root = page.documentElement, view = frame.contentWindow;
  const scrolled = [...page.querySelectorAll('.scroll, .picture')].filter((box) => box.scrollWidth > box.clientWidth);
  const outside = [...page.querySelectorAll('svg text')].filter((text) => {
    const inner = text.getBoundingClientRect(), outer = text.closest('svg').getBoundingClientRect();
    return inner.left < outer.left - 2 || inner.right > outer.right + 2
      || inner.top < outer.top - 2 || inner.bottom > outer.bottom + 2;
  });
  return {
    width: root.clientWidth, content: root.scrollWidth, background: view.getComputedStyle(page.body).backgroundColor,
    ink: view.getComputedStyle(page.body).color, scrolled: scrolled.length,
    outside: outside.map((text) => text.textContent),
  };
}
"""
_FRAME = '<iframe style="width:{width}px;height:2000px;border:0" srcdoc="{page}"></iframe>'
_DOCUMENT = """<!DOCTYPE html><body>{frames}<script>
window.addEventListener('load', () => {{
  const found = document.createElement('pre');
  found.id = 'found';
  found.textContent = JSON.stringify([...document.querySelectorAll('iframe')].map({look}));
  document.body.append(found);
}});
</script></body>"""


def look_at(page: str, widths: list[int], is_dark: bool, folder: Path) -> list[dict]:
    """What a browser makes of the markup of a page at each width, in pixels; `folder` is for its files."""
    frames = "".join(_FRAME.format(width=width, page=html.escape(page)) for width in widths)
    document = folder / "frames.html"
    document.write_text(_DOCUMENT.format(frames=frames, look=_LOOK), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
    options += [f"--user-data-dir={folder / 'profile'}", f"--blink-settings=preferredColorScheme={0 if is_dark else 1}"]
    ended = subprocess.run(
        [CHROMIUM, *options, "--dump-dom", document.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    (found,) = re.findall(r'<pre id="found">(.*?)</pre>', ended.stdout, re.DOTALL)
    return json.loads(html.unescape(found))
