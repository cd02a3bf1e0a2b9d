"""What the page around the form says, in the language of the form."""

from __future__ import annotations

from dataclasses import dataclass

from gpuspawner.language import gettext as _
from gpuspawner.language import spoken


@dataclass(frozen=True, slots=True)
class PageWords:
    """What stands around the form.

    Attributes:
        for_other: whom the server is for, where that is somebody else.
        start: what the button says.
    """

    language: str
    heading: str
    for_other: str
    start: str


class FormText(str):
    """The form's HTML; of all that is ours JupyterHub hands only this to the page's template."""

    __slots__ = ("words",)

    words: PageWords


def form_text(html: str, user_name: str, server_name: str) -> FormText:
    """A form with what the page around it says, in the language spoken.

    Args:
        html: the form.
        user_name: whose server is to be started.
        server_name: empty for the default one.
    """
    text = FormText(html)
    heading = _("Start the server {name}") if server_name else _("Start a server")
    text.words = PageWords(
        language=spoken(),
        heading=heading.format(name=server_name),
        for_other=_("The server is for {name}.").format(name=user_name),
        start=_("Start"),
    )
    return text
