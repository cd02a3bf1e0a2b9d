"""GET of the page and of its twin for programs."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from jupyterhub.scopes import needs_scope

from gpuspawner.cluster import Cluster, cluster_of, picture_of, saying
from gpuspawner.cluster.picture import SIGNS
from gpuspawner.hub.admin.base import AccessPage, AdminPageHandler
from gpuspawner.hub.admin.rights import CLUSTER, WithAccessRole
from gpuspawner.hub.cluster.looking import look_at
from gpuspawner.hub.codes import CodedAPIHandler
from gpuspawner.language import speaking, spoken
from gpuspawner.quantity import format_amount

_MOST_HOLDINGS = 100
_LONGEST = 200


class ClusterHandler(AdminPageHandler):
    """GET: nodes and devices, who has what, the watch, and the rights that are missing.

    The argument ``group`` shows one group of nodes alone, ``page`` leads on in it; ``name`` is part
    of a user's name.
    """

    template = "cluster"

    @needs_scope(CLUSTER)  # type: ignore[untyped-decorator]
    async def _get(self) -> None:
        status = await self.in_force.fresh()
        effective = status.effective
        look = await look_at(self, effective.catalog if effective is not None else None)
        only = self.get_query_argument("group", "")[:_LONGEST]
        name = self.get_query_argument("name", "")[:_LONGEST]
        page, language = self.number("page"), spoken()

        def made() -> dict[str, Any]:
            with speaking(language):
                cluster = cluster_of(look)
                return _values(cluster, only, page, name)

        # Of a thousand nodes it takes a while, and the values do not change.
        await self.show(status, await asyncio.to_thread(made))


def _values(cluster: Cluster, only: str, page: int, name: str) -> dict[str, Any]:
    asked = name.strip().casefold()
    found = [one for one in cluster.holdings if asked in one.user.casefold()]
    return {
        "cluster": cluster,
        "picture": picture_of(cluster, only, page),
        "say": saying,
        "signs": SIGNS,
        "amount": _amount,
        "asked": name,
        "holdings": found[:_MOST_HOLDINGS],
        "more_holdings": max(0, len(found) - _MOST_HOLDINGS),
    }


def _amount(resource: str, amount: float) -> str:
    """Cores or bytes, as people read them."""
    return format_amount(resource, round(amount * 1000) if resource == "cpu" else round(amount))


class ClusterAPIHandler(WithAccessRole, AccessPage, CodedAPIHandler):
    """GET: the same facts for programs."""

    @needs_scope(CLUSTER)  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """See the class."""
        status = await self.in_force.fresh()
        effective = status.effective
        look = await look_at(self, effective.catalog if effective is not None else None)
        cluster = await asyncio.to_thread(cluster_of, look)
        self.write(msgspec.to_builtins(cluster))
