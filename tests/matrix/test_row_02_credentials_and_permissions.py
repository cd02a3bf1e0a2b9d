"""Row 2: 401 with token rotation; 403 on nodes, on pods, on watch only."""

from __future__ import annotations

import pytest

from gpuspawner.capacity.freshness import Permission
from gpuspawner.simcluster.apiserver.access import Rule

from .conftest import Site, until

RESOURCES = ("nodes", "pods")


def everything_but(verbs: tuple[str, ...], resources: tuple[str, ...]) -> list[Rule]:
    others = tuple(verb for verb in ("get", "list", "watch") if verb not in verbs)
    rest = tuple(resource for resource in RESOURCES if resource not in resources)
    return [Rule(resources=rest), Rule(verbs=others, resources=resources)]


async def test_a_token_that_was_rotated_is_read_again(site: Site) -> None:
    site.access.tokens = {"old": "hub"}
    async with site.watch() as observed:
        await observed.converges()
        site.access.rotate("hub", "new")
        site.faults.sever()
        site.add_pod("late", "n2", gpus=2)
        await observed.converges()


async def test_a_token_that_nobody_renews_is_asked_with_slowly(site: Site) -> None:
    site.access.tokens = {"old": "hub"}
    async with site.watch() as observed:
        await observed.converges()
        site.access.rotate("hub", "someone else's")
        site.faults.sever()
        async with observed.bounded():
            pass
        await observed.goes_stale()
        assert "401" in str(observed.watch.freshness().last_error)
        site.access.rotate("hub", "new")
        await observed.converges()


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize(
    ("verbs", "missing"),
    [
        pytest.param(("list", "watch"), ("list", "watch"), id="all of it"),
        pytest.param(("watch",), ("watch",), id="watch only"),
    ],
)
async def test_the_missing_permission_is_named_until_it_is_granted(
    site: Site, resource: str, verbs: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    site.access.rules = everything_but(verbs, (resource,))
    async with site.watch() as observed:
        async with observed.bounded():
            pass
        freshness = observed.watch.freshness()
        assert freshness.state == "denied"
        assert freshness.missing == tuple(Permission(verb, resource) for verb in missing)
        site.access.rules = [Rule()]
        await observed.converges()
        assert observed.watch.freshness().missing == ()


async def test_a_permission_that_is_taken_away_in_mid_run_is_named(site: Site) -> None:
    async with site.watch() as observed:
        await observed.converges()
        site.access.rules = everything_but(("list", "watch"), ("pods",))
        site.faults.sever()
        async with observed.bounded():
            site.add_pod("late", "n2", gpus=2)
        await until(lambda: observed.watch.freshness().state == "denied")
        await observed.goes_stale()
        site.access.rules = [Rule()]
        await observed.converges()


async def test_the_permission_to_list_is_not_needed_where_lists_are_streamed(site: Site) -> None:
    site.access.rules = everything_but(("list",), RESOURCES)
    async with site.watch() as observed:
        await observed.converges()
        assert site.faults.count("list") == 0
