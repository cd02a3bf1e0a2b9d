"""Where a spawn page finds the rest of itself; the routes are those of `gpuspawner.hub`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

STATIC, CHOOSE, LIVE, LIVE_NAMED = (
    f"gpuspawner-{route}" for route in ("form", "choose", "live", "live-named")
)
"""Names of the routes, by which Tornado gives their addresses under any base URL."""


@dataclass(frozen=True, slots=True)
class PageLinks:
    """Addresses of one person's spawn page, as paths with the hub's prefix.

    Attributes:
        style: the style sheet.
        scripts: what makes the page live, and more comfortable.
        choose: opens the form with a choice made, and starts nothing.
        live: what a page is kept up to date from; empty if there is nothing.
        server: the name of the server that is to be started; empty for the default one.
        is_own: whether the server is for whoever looks at the page.
    """

    style: str
    scripts: tuple[str, ...]
    choose: str
    live: str = ""
    server: str = ""
    is_own: bool = True

    def instead(self, profile: str) -> str:
        """The address of this page with another profile chosen, or of that profile on it."""
        return self.choice(profile) if self.is_own else f"#gpuspawner-{profile}"

    def choice(self, profile: str) -> str:
        """The address of the form with a profile chosen, for anybody who may have it."""
        chosen = {"profile": profile, "server": self.server}
        return f"{self.choose}?{urlencode({key: text for key, text in chosen.items() if text})}"


def page_links(handler: Any, user_name: str, server_name: str) -> PageLinks | None:
    """The links of the page that a request asks for.

    Args:
        handler: JupyterHub's handler of the request; None if there is none.
        user_name: whose server it is.
        server_name: of the server; empty for the default one.

    Returns:
        None if nothing of ours is mounted: ``setup(c)`` was not called, or undone later.
    """
    if handler is None:
        return None
    try:
        return PageLinks(
            style=handler.reverse_url(STATIC, "form.css"),
            scripts=tuple(handler.reverse_url(STATIC, name) for name in ("form.js", "live.js")),
            choose=handler.reverse_url(CHOOSE),
            live=_live(handler, user_name, server_name),
            server=server_name,
            is_own=getattr(handler.current_user, "name", None) == user_name,
        )
    except KeyError:
        return None


def _live(handler: Any, user_name: str, server_name: str) -> str:
    address: str = (
        handler.reverse_url(LIVE_NAMED, user_name, server_name)
        if server_name
        else handler.reverse_url(LIVE, user_name)
    )
    return address
