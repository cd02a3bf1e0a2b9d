"""How Sphinx builds these pages: `python3 -m sphinx -W --keep-going docs docs/_build`."""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from generating import write_reference  # noqa: E402

from gpuspawner import __version__  # noqa: E402

project = "gpuspawner"
author = copyright = "The gpuspawner developers"  # noqa: A001 - Sphinx' name for it
version = release = __version__

extensions = ["myst_parser", "sphinx_click"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
nitpicky = True
html_theme = "furo"
html_title = f"gpuspawner {release}"


def setup(_app: Sphinx) -> None:
    """Write the reference before Sphinx looks for pages."""
    write_reference(HERE / "reference")
