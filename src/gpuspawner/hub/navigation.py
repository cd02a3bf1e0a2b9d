"""Words in JupyterHub's own pages, where a template of ours has no handler of ours."""

from __future__ import annotations

from typing import Any, Final

from jinja2 import pass_context

from gpuspawner.language import ENGLISH, accepted, gettext, speaking, spoken


class Navigation:
    """What ``page.html`` says, in the language of whoever looks at it."""

    @pass_context
    def words(self, context: Any, message: str) -> str:
        """A message, in the language of the page or else that which the browser asks for."""
        with speaking(_language(context)):
            return gettext(message)

    @pass_context
    def language(self, context: Any) -> str:
        """The language of `words`."""
        return _language(context)


NAVIGATION: Final = Navigation()


def _language(context: Any) -> str:
    if spoken() != ENGLISH:
        return spoken()
    # JupyterHub gives templates no request, but a method of what has it; another version may not.
    handler = getattr(context.get("static_url"), "__self__", None)
    headers = getattr(getattr(handler, "request", None), "headers", {})
    return accepted(headers.get("Accept-Language"))
