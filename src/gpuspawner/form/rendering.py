"""The templates of the form. What is put into them is escaped, and speaks the language spoken."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from gpuspawner.form.bars import WIDTH, cells
from gpuspawner.language import gettext, ngettext
from gpuspawner.wording import unbroken


@cache
def template(name: str) -> Template:
    """A template of the package's."""
    return _environment().get_template(f"gpuspawner/{name}")


def compiled() -> None:
    """Have every template compiled before anybody waits for the first form."""
    for name in _environment().list_templates(["html"]):
        _environment().get_template(name)


@cache
def _environment() -> Environment:
    # The package's own templates do not change while it runs.
    environment = Environment(
        loader=PackageLoader("gpuspawner.form"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined] # the extension adds it
    environment.filters["unbroken"] = unbroken
    environment.globals.update(cells=cells, BAR_WIDTH=WIDTH, style=_style)
    return environment


@cache
def _style() -> str:
    """The style sheet, to stand within the page."""
    source = PackageLoader("gpuspawner.form", "static").get_source(Environment(), "form.css")  # noqa: S701 - a style sheet, not rendered
    return source[0]
