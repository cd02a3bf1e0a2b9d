"""Every handler that we add to a hub, beside everybody who may knock: what each is answered."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gpuspawner.access import PAGE
from gpuspawner.hub.access import in_force_of
from gpuspawner.hub.admin.rights import WRITE
from gpuspawner.simcluster.cluster import SimCluster

from .access_edits import configured
from .asking import OWNER, SERVICES, Asker, askers
from .conftest import Hub, running_hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

# 302 leads to the sign-in, or whoever has a server to that; 303 to the server that was left alone.
TABLE = """
                                           nobody own other admin reader t-none t-self t-access t-users t-read t-write t-admin server service keeper
GET  api/gpuspawner/offers?user=students-1    403 200   404   200    404    403    200      403     403    403     403     200    403     403    403
GET  gpuspawner/live/students-1               403 200   404   200    404    403    403      403     403    403     403     403    403     403    403
GET  gpuspawner/live/students-1/second        403 404   404   404    404    403    403      403     403    403     403     403    403     403    403
GET  gpuspawner/choose                        302 302   200   403    403    302    302      302     302    302     302     302    302     302    302
GET  gpuspawner/form/form.js                  200 200   200   200    200    200    200      200     200    200     200     200    200     200    200
GET  gpuspawner/static/pending.js             200 200   200   200    200    200    200      200     200    200     200     200    200     200    200
POST gpuspawner/cancel/students-1             403 303   404   303    404    403    403      403     403    403     403     403    403     403    403
POST gpuspawner/cancel/students-1/second      403 404   404   404    404    403    403      403     403    403     403     403    403     403    403
GET  gpuspawner/progress/students-1           403 200   404   200    404    403    200      403     403    403     403     200    403     403    403
GET  gpuspawner/progress/students-1/second    403 404   404   404    404    403    404      403     403    403     403     404    403     403    403
GET  gpuspawner/admin                         302 403   403   200    200    302    302      302     302    302     302     302    302     302    302
GET  gpuspawner/admin/why?user=students-2     302 403   403   200    200    302    302      302     302    302     302     302    302     302    302
GET  gpuspawner/admin/access.yaml             302 403   403   200    200    302    302      302     302    302     302     302    302     302    302
GET  gpuspawner/admin/rules                   302 403   403   200    200    302    302      302     302    302     302     302    302     302    302
POST gpuspawner/admin/rules                   403 403   403   200    403    403    403      403     403    403     403     403    403     403    403
GET  gpuspawner/cluster                       302 403   403   200    403    302    302      302     302    302     302     302    302     302    302
GET  api/gpuspawner/cluster                   403 403   403   200    403    403    403      403     403    403     403     403    403     403    403
POST api/gpuspawner/access/preview            403 403   403   400    400    403    403      403     403    400     400     403    403     403    400
GET  api/gpuspawner/access                    403 403   403   200    200    403    403      403     403    200     200     403    403     403    200
PUT  api/gpuspawner/access                    403 403   403   400    403    403    403      403     403    403     400     403    403     403    400
"""  # noqa: E501 - a table
COLUMNS, *_ROWS = (line.split() for line in TABLE.strip().splitlines())
ROWS = {
    (method, path): dict(zip(COLUMNS, map(int, cells), strict=True))
    for method, path, *cells in _ROWS
}
PATHS = list(dict.fromkeys(path for _, path in ROWS))
STATIC = [path for path in PATHS if path.endswith(".js")]
# Of these, a program's request needs no token against forgery: a page cannot send theirs.
WITH_A_TOKEN = [
    column for column in COLUMNS if column.startswith("t-") or column in ("server", *SERVICES)
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hub(cluster: SimCluster) -> AsyncIterator[Hub]:
    config = configured(cluster, PAGE)
    config.JupyterHub.services = [{"name": name, "api_token": SERVICES[name]} for name in SERVICES]
    config.JupyterHub.load_roles.append(
        {"name": "keepers", "scopes": [WRITE], "services": ["keeper"]}
    )
    async with running_hub(cluster, config) as hub:
        yield hub


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def everybody(hub: Hub) -> AsyncIterator[dict[str, Asker]]:
    async with askers(hub) as found:
        yield found


async def test_each_of_our_handlers_is_in_the_table(hub: Hub) -> None:
    below = f"{hub.app.hub_prefix}"
    ours = [
        pattern
        for pattern, handler, *_ in hub.app.handlers
        if handler.__module__.startswith("gpuspawner.") or "gpuspawner" in pattern
    ]
    asked = [f"{below}{path.partition('?')[0]}" for path in PATHS]
    missing = [each for each in ours if not any(re.fullmatch(each, path) for path in asked)]
    assert missing == [], "add a line to the table"
    gone = [path for path in asked if not any(re.fullmatch(each, path) for each in ours)]
    assert gone == []


@pytest.mark.parametrize(("method", "path"), [pytest.param(*row, id=" ".join(row)) for row in ROWS])
async def test_everybody_is_answered_as_the_table_says(
    everybody: dict[str, Asker], method: str, path: str
) -> None:
    found = {name: (await asker.ask(method, path))[0] for name, asker in everybody.items()}
    assert found == ROWS[method, path]


@pytest.mark.parametrize(
    ("method", "path"),
    [pytest.param(*row, id=" ".join(row)) for row in ROWS if row[0] != "GET"],
)
async def test_a_change_that_another_site_asks_for_is_refused(
    everybody: dict[str, Asker], method: str, path: str
) -> None:
    found = {
        name: (await asker.ask(method, path, forged=True))[0] for name, asker in everybody.items()
    }
    by_token = path.startswith("api/")
    for name, status in found.items():
        is_safe = by_token and name in WITH_A_TOKEN
        assert status == (ROWS[method, path][name] if is_safe else 403), name


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param(method, path, id=f"{method} {path}")
        for method in ("HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
        for path in PATHS
        if (method, path) not in ROWS
    ],
)
async def test_what_a_handler_does_not_do_nobody_can_make_it_do(
    everybody: dict[str, Asker], method: str, path: str
) -> None:
    for name in ("nobody", "admin", "t-write"):
        status, text = await everybody[name].ask(method, path)
        if method == "HEAD" and path in STATIC:
            assert (status, text) == (200, "")
        elif method == "OPTIONS" and status == 200:
            # JupyterHub's, of everything that programs may ask.
            assert text == ""
        else:
            assert status in (403, 405), name


async def test_a_page_of_another_site_cannot_be_told_what_a_person_is_told(
    everybody: dict[str, Asker],
) -> None:
    for path in PATHS:
        session, base = everybody["admin"].session, everybody["admin"].base
        headers = {"Origin": "https://evil.example"}
        async with session.get(
            f"{base}hub/{path}", headers=headers, allow_redirects=False
        ) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers, path


async def test_after_all_that_nothing_has_changed(hub: Hub, everybody: dict[str, Asker]) -> None:
    assert everybody
    assert in_force_of(hub.app).store.latest() is None
    pods = [pod for name in ("students-1", "students-2", "admins-0") for pod in hub.pods_of(name)]
    assert len(pods) == len(hub.pods_of(OWNER)) == 1
