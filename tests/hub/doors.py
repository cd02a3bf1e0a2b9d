"""Every way into a start of a server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from .conftest import Answer, Hub

Options = dict[str, Any]

ADMIN = "admins-0"


@dataclass(frozen=True)
class Door:
    """A way into a start.

    Attributes:
        title: what it is called.
        knock: asks for a server with options, for somebody.
        server: the name of the server that it starts; empty for the default one.
        is_api: whether JSON is what comes back, and not a page.
        asks: whether the options are sent; else what is saved counts, or the default.
    """

    title: str
    knock: Callable[[Hub, str, Options], Awaitable[Answer]]
    server: str = ""
    is_api: bool = False
    asks: bool = True


def fields_of(options: Options) -> dict[str, str]:
    """Options as the form's fields are called."""
    profile = options.get("profile", "")
    return {
        "profile" if key == "profile" else f"profile-option-{profile}--{key}": value
        for key, value in options.items()
    }


async def form(hub: Hub, name: str, options: Options) -> Answer:
    visitor = await hub.visitor(name)
    return await visitor.post_form("hub/spawn", fields_of(options))


async def form_of_a_named_server(hub: Hub, name: str, options: Options) -> Answer:
    visitor = await hub.visitor(name)
    return await visitor.post_form(f"hub/spawn/{name}/second", fields_of(options))


async def form_used_by_an_admin(hub: Hub, name: str, options: Options) -> Answer:
    await hub.visitor(name)
    admin = await hub.visitor(ADMIN)
    return await admin.post_form(f"hub/spawn/{name}", fields_of(options))


async def form_with_nothing_chosen(hub: Hub, name: str, options: Options) -> Answer:
    del options
    return await form(hub, name, {})


async def query_link(hub: Hub, name: str, options: Options) -> Answer:
    visitor = await hub.visitor(name)
    return await visitor.get(f"hub/spawn?{urlencode(fields_of(options))}")


async def api_as_in_jupyterhub_6(hub: Hub, name: str, options: Options) -> Answer:
    visitor = await hub.visitor(name)
    return await visitor.api("POST", f"users/{name}/server", {"user_options": options})


async def api_as_in_jupyterhub_5(hub: Hub, name: str, options: Options) -> Answer:
    visitor = await hub.visitor(name)
    return await visitor.api("POST", f"users/{name}/server", options)


async def api_of_a_named_server(hub: Hub, name: str, options: Options) -> Answer:
    visitor = await hub.visitor(name)
    return await visitor.api("POST", f"users/{name}/servers/second", options)


async def api_used_by_an_admin(hub: Hub, name: str, options: Options) -> Answer:
    await hub.visitor(name)
    admin = await hub.visitor(ADMIN)
    return await admin.api("POST", f"users/{name}/server", options)


async def api_with_nothing_asked_for(hub: Hub, name: str, options: Options) -> Answer:
    del options
    visitor = await hub.visitor(name)
    return await visitor.api("POST", f"users/{name}/server")


async def saved_options(hub: Hub, name: str, options: Options) -> Answer:
    visitor = await hub.visitor(name)
    hub.app.users[name].spawner.orm_spawner.user_options = options
    hub.app.db.commit()
    return await visitor.api("POST", f"users/{name}/server")


FORM = Door("the form", form)
API = Door("the API as in JupyterHub 6", api_as_in_jupyterhub_6, is_api=True)
DOORS = [
    FORM,
    Door("the form of a named server", form_of_a_named_server, server="second"),
    Door("the form, used by an admin", form_used_by_an_admin),
    Door("the form with nothing chosen", form_with_nothing_chosen, asks=False),
    Door("a link", query_link),
    API,
    Door("the API as in JupyterHub 5", api_as_in_jupyterhub_5, is_api=True),
    Door("the API of a named server", api_of_a_named_server, server="second", is_api=True),
    Door("the API, used by an admin", api_used_by_an_admin, is_api=True),
    Door("the API, with saved options", saved_options, is_api=True),
    Door("the API, nothing asked for", api_with_nothing_asked_for, is_api=True, asks=False),
]
