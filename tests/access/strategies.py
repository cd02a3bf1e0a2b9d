"""Random rules and people, of few letters so that they meet."""

from __future__ import annotations

from hypothesis import strategies as st
from tests.builders import a_catalog, a_profile

from gpuspawner.catalog import AccessRule, Catalog
from gpuspawner.policy import Person

SLUGS = ("cpu", "a", "b", "ab", "ba")
NAMES = st.text("ab[.", min_size=1, max_size=3)
_PATTERNS = st.one_of(NAMES, st.text("ab[.*?", min_size=1, max_size=3), st.just("*"))
_LISTS = st.lists(_PATTERNS, max_size=2).map(tuple)
_SOME = st.lists(_PATTERNS, min_size=1, max_size=2).map(tuple)
_PROFILES = st.lists(
    st.one_of(st.sampled_from(SLUGS), st.sampled_from(["*", "a*", "?b", "c*", "**"])),
    min_size=1,
    max_size=3,
).map(tuple)

RULES = st.lists(
    st.builds(
        AccessRule,
        groups=_LISTS,
        users=_SOME,
        profiles=_PROFILES,
        deny=st.booleans(),
    )
    | st.builds(AccessRule, groups=_SOME, profiles=_PROFILES, deny=st.booleans()),
    max_size=6,
)
PEOPLE = st.lists(st.builds(Person, NAMES, st.frozensets(NAMES, max_size=3)), max_size=5)


def catalog_of(rules: list[AccessRule], slugs: tuple[str, ...] = SLUGS) -> Catalog:
    """A catalog of these profiles; `cpu` must be among them. The rules are not validated."""
    catalog = a_catalog(*(a_profile(slug) for slug in slugs if slug != "cpu"), access=[])
    return catalog.model_copy(update={"access": tuple(rules)})
