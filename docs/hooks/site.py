"""What `mkdocs build` calls: pages that are written by the code, formulas and pictures that need no network, links.

A document of docs/ is read on the site and in the checkout alike. What the site adds stands in the document as a mark,
`<!-- site: settings -->`, and links that lead out of docs/ lead to a page of the site that shows the file.
"""

from __future__ import annotations

import site_formulas
import site_links
import site_marks
import site_pictures
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Have fences of formulas and of flow charts drawn while the site is built."""
    config.mdx_configs["pymdownx.superfences"] = {
        "custom_fences": [
            {"name": "math", "class": "formula", "format": site_formulas.draw_formula},
            {"name": "mermaid", "class": "flowchart", "format": site_pictures.draw_flowchart},
        ]
    }
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file outside docs/ that documents lead to."""
    for uri, file in site_links.find_outside_files().items():
        if file.suffix in site_links.PICTURES:
            files.append(File.generated(config, uri, content=file.read_bytes()))
        else:
            files.append(File.generated(config, uri, content=site_links.page_of(file)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    return site_links.relink(site_marks.fill(markdown), page.file.src_uri, site_links.titles_of(config.nav))
