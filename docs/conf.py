"""How the documentation becomes a site: `make docs`. Its sources are the pages as they are read in the repository,
so the whole project is the source directory, and links between pages, examples and manifests work in both."""

import re

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.highlighting import lexers

project = "Leasehold"
author = "The Leasehold authors"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "examples/**.md", "charts/**.md"]
exclude_patterns = [".*", "build", "operator", "tests"]
myst_heading_anchors = 4
html_theme = "alabaster"
html_title = "Leasehold"
html_theme_options = {"description": "Every MCP connection on a lease", "page_width": "1100px"}
html_copy_source = False
lexers["mermaid"] = TextLexer()  # drawn where the pages are read in the repository, and text here

LINK_TO_A_FOLDER = re.compile(r"\[([^\]]+)\]\([^)\s:]+/\)")


def unlink_folders(app: Sphinx, page: str, source: list[str]) -> None:
    """A folder is no page of the site: its name stays. Whether it exists is asked by the tests of the pages."""
    source[0] = LINK_TO_A_FOLDER.sub(r"\1", source[0])


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", unlink_folders)
