"""KubeSpawner's own profile_list as profiles of a catalog."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubespawner import KubeSpawner

from gpuspawner.catalog import Catalog, Profile, Traits, is_dynamic, with_profile_list
from gpuspawner.policy import Decision, Person, decide, open_to

from ..builders import GPU, a_catalog, a_profile

ENTRY: dict[str, Any] = {"display_name": "GPU (A100)"}
OPEN: dict[str, Any] = {"display_name": "Open"}
UNTIL_THEN = "(offered to nobody until then)"
TRAITS = Traits(frozenset(KubeSpawner.class_trait_names()), {"image_spec": "image"})


def an_option(**fields: Any) -> dict[str, Any]:
    return {"display_name": "Size", "choices": {"s": {}, "l": {}}, **fields}


def an_entry(**fields: Any) -> dict[str, Any]:
    return {**ENTRY, **fields}


def with_option(**fields: Any) -> dict[str, Any]:
    return an_entry(profile_options={"size": an_option(**fields)})


def unlisted(**fields: Any) -> dict[str, Any]:
    return with_option(unlisted_choice={"enabled": True, **fields})


def one(entry: dict[str, Any], catalog: Catalog | None = None) -> Profile:
    """The profile of a list of one entry, which must be sound."""
    stocked = with_profile_list([entry], catalog, TRAITS)
    assert stocked.problems == ()
    return stocked.catalog.profiles[-1]


def decision(entry: dict[str, Any], person: Person) -> Decision:
    catalog = with_profile_list([entry], a_catalog()).catalog
    slug = catalog.profiles[-1].slug
    return decide(catalog.rules_for(slug), person, slug)


@pytest.mark.parametrize(
    ("entry", "slug"),
    [
        pytest.param(ENTRY, "gpu-a100", id="made from the display name"),
        pytest.param(an_entry(slug="a100"), "a100", id="as it is written"),
        pytest.param(an_entry(slug="A100_40.gb"), "A100_40.gb", id="which may be no label of DNS"),
        pytest.param({"display_name": "Größe: 2 Kerne"}, "grosse-2-kerne", id="of another script"),
        pytest.param({"display_name": "x " * 60}, "-".join("x" * 60), id="however long it is"),
    ],
)
async def test_the_slug_is_that_of_kubespawner(entry: dict[str, Any], slug: str) -> None:
    assert one(entry).slug == slug
    [theirs] = KubeSpawner(_mock=True)._get_initialized_profile_list([entry])
    assert theirs["slug"] == slug


def test_entries_come_after_the_catalog_s_own_profiles_in_their_order() -> None:
    stocked = with_profile_list([OPEN, ENTRY], a_catalog(a_profile()))
    assert [p.slug for p in stocked.catalog.profiles] == ["cpu", "gpu", "open", "gpu-a100"]
    assert stocked.catalog.default_profile.slug == "cpu"


def test_a_mapping_is_sorted_by_its_keys_as_in_kubespawner() -> None:
    stocked = with_profile_list({"b": OPEN, "a": ENTRY}, None)
    assert [p.slug for p in stocked.catalog.profiles] == ["gpu-a100", "open"]


@pytest.mark.parametrize(
    ("listed", "default"),
    [
        pytest.param([OPEN, ENTRY], "open", id="the first, where none is marked"),
        pytest.param([OPEN, an_entry(default=True)], "gpu-a100", id="the one that is marked"),
        pytest.param(
            [{**OPEN, "default": 1}, an_entry(default=True)], "open", id="the first that is marked"
        ),
    ],
)
async def test_of_a_list_alone_the_default_is_kubespawner_s(
    listed: list[Any], default: str
) -> None:
    catalog = with_profile_list(listed, None).catalog
    assert [p.slug for p in catalog.profiles if p.default] == [default]
    theirs = KubeSpawner(_mock=True)._get_initialized_profile_list(listed)
    assert KubeSpawner(_mock=True)._get_profile(None, theirs)["slug"] == default


def test_beside_a_catalog_no_entry_is_the_default() -> None:
    catalog = with_profile_list([an_entry(default=True)], a_catalog()).catalog
    assert [p.slug for p in catalog.profiles if p.default] == ["cpu"]


@pytest.mark.parametrize("nothing", [None, [], {}, ()])
def test_an_empty_list_changes_nothing(nothing: object) -> None:
    catalog = a_catalog()
    assert with_profile_list(nothing, catalog).catalog == catalog
    assert with_profile_list(nothing, None).catalog.profiles == ()


@pytest.mark.parametrize(
    ("keys", "allowed", "grant"),
    [
        pytest.param({}, True, "everyone", id="neither key: open to everyone, as in KubeSpawner"),
        pytest.param({"allowed_groups": ["hpc"]}, True, "group hpc", id="a group of theirs"),
        pytest.param({"allowed_groups": ["hp?"]}, True, "group hpc", id="a wildcard"),
        pytest.param({"allowed_groups": ("hpc",)}, True, "group hpc", id="a tuple"),
        pytest.param({"allowed_groups": ["physics"]}, False, "", id="another group"),
        pytest.param({"allowed_groups": ["HPC"]}, False, "", id="in another case"),
        pytest.param({"allowed_groups": []}, False, "", id="a list of nobody is for nobody"),
        pytest.param({"allowed_users": ["ada"]}, True, "user ada", id="by name"),
        pytest.param({"allowed_users": ["bob"]}, False, "", id="by the name of another"),
        pytest.param(
            {"allowed_groups": ["physics"], "allowed_users": ["ada"]}, True, "user ada", id="either"
        ),
        pytest.param({"allowed_groups": [], "allowed_users": []}, False, "", id="both for nobody"),
    ],
)
def test_who_may_have_an_entry(keys: dict[str, Any], allowed: bool, grant: str) -> None:
    found = decision(an_entry(**keys), Person("ada", frozenset({"hpc", "staff"})))
    assert (found.allowed, found.grant) == (allowed, grant)


def test_the_catalog_s_rules_are_for_its_own_profiles() -> None:
    """Else a rule for all profiles would open what an entry keeps for some."""
    assert not decision(an_entry(allowed_groups=["physics"]), Person("ada")).allowed


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        pytest.param(
            an_entry(allowed_groups="hpc"),
            "profile_list[0] ('GPU (A100)'): allowed_groups: expected a list of names, found "
            "'hpc'; write a list of names",
            id="a text for a list of groups",
        ),
        pytest.param(
            an_entry(allowed_groups=None), "expected a list of names, found None", id="nothing"
        ),
        pytest.param(an_entry(allowed_users=1000), "allowed_users: expected a list", id="a number"),
        pytest.param(an_entry(allowed_users=[1000]), "allowed_users: expected", id="of numbers"),
        pytest.param(an_entry(allowed_users=[""]), "allowed_users: expected", id="an empty name"),
        pytest.param(an_entry(allowed_groups={"hpc": True}), "allowed_groups: exp", id="mapping"),
        *(
            pytest.param(an_entry(**{key: ["hpc"]}), f"{key}: unknown key; did you mean", id=key)
            for key in (
                "allowed_group",
                "allow_groups",
                "alowed_groups",
                "allowedGroups",
                "ALLOWED_USERS",
                "allowed_user",
                "allowed_teams",
                "groups",
                "Users",
                "access",
            )
        ),
        pytest.param(
            an_entry(**{"allowed-groups": ["hpc"]}), "allowed-groups: unknown key", id="dashes"
        ),
        pytest.param(
            with_option(choices={"s": {"allowed_groups": "hpc"}}),
            "profile_options.size.choices.s.allowed_groups: expected a list of names",
            id="a gate of a choice",
        ),
        pytest.param(
            with_option(choices={"s": {"allow_group": ["hpc"]}}),
            "choices.s.allow_group: unknown key; did you mean 'allowed_groups'?",
            id="a near miss in a choice",
        ),
        pytest.param(
            with_option(allowed_groups=["hpc"]),
            "profile_options.size.allowed_groups: an option cannot be gated; write it in its",
            id="a gate of an option as a whole",
        ),
        pytest.param(
            with_option(groups=["hpc"]),
            "profile_options.size.groups: an option cannot be gated",
            id="a gate of the catalog's in an option",
        ),
        pytest.param(
            unlisted(allowed_groups="hpc"),
            "unlisted_choice.allowed_groups: expected a list",
            id="a gate of what is written",
        ),
        pytest.param("gpu", "profile_list[0]: expected a mapping, found 'gpu'", id="a text"),
        pytest.param({}, "display_name: is required", id="no display name"),
        pytest.param({"display_name": 7}, "display_name: expected text, found 7", id="a number"),
        pytest.param({"display_name": "  "}, "display_name: expected text", id="a blank name"),
        pytest.param({"display_name": "???"}, "slug: '' cannot be used as a slug", id="no slug"),
        pytest.param(an_entry(slug="a b"), "slug: 'a b' cannot be used", id="a slug with a space"),
        pytest.param(an_entry(slug="*"), "slug: '*' cannot be used", id="a wildcard for a slug"),
        pytest.param(
            an_entry(slug="a--b"),
            "write a slug of letters, digits, single '-', '_' and '.', perhaps 'a-b'",
            id="where KubeSpawner's form splits",
        ),
        pytest.param(an_entry(slug=7), "slug: 7 cannot be used", id="a number for a slug"),
        pytest.param(an_entry(description=7), "description: expected text", id="a description"),
        pytest.param(
            an_entry(kubespawner_override=[]),
            "kubespawner_override: expected a mapping, found []",
            id="an override that is a list",
        ),
        pytest.param(
            an_entry(kubespawner_override={"namespace": "other"}),
            "kubespawner_override.namespace: 'namespace' is the hub's to set",
            id="a trait of the hub",
        ),
        pytest.param(
            an_entry(kubespawner_override={"mem_limt": "1G"}),
            "KubeSpawner has no trait 'mem_limt'; did you mean 'mem_limit'?",
            id="a trait that is not there",
        ),
        pytest.param(
            an_entry(profile_options=[]), "profile_options: expected a mapping", id="options"
        ),
        pytest.param(
            an_entry(profile_options={"profile": an_option()}),
            "'profile' cannot be an option's name",
            id="an option called profile",
        ),
        pytest.param(
            an_entry(profile_options={"a--unlisted-choice": an_option()}),
            "cannot be an option's name",
            id="an option that is called as what is written of another",
        ),
        pytest.param(
            with_option(choices={}), "there is nothing to choose; write choices", id="no choices"
        ),
        pytest.param(with_option(choices=["s"]), "choices: expected a mapping", id="listed ones"),
        pytest.param(with_option(choices={"s": None}), "choices.s: expected a map", id="a blank"),
        pytest.param(with_option(choices={True: {}}), "cannot be a choice's key", id="a boolean"),
        pytest.param(with_option(display_name=7), "size.display_name: expected text", id="a label"),
        pytest.param(
            with_option(choices={"s": {"kubespawner_override": {"user": 1}}}),
            "size.choices.s.kubespawner_override.user: 'user' is the hub's to set",
            id="a trait of the hub in a choice",
        ),
        pytest.param(
            unlisted(validation_regex="("),
            "validation_regex: '(' is not a regular expression",
            id="a broken pattern",
        ),
        *(
            pytest.param(
                unlisted(kubespawner_override={"image": text}),
                "unlisted_choice.kubespawner_override.image: the braces in",
                id=f"{text} reaches into objects",
            )
            for text in (
                "{value.__class__}",
                "{value[0]}",
                "{value!r}",
                "{value:>99999999}",
                "{}",
                "{0}",
                "{",
                "{value:{value}}",
            )
        ),
        pytest.param(
            unlisted(kubespawner_override={"environment": {"{value.x}": "1"}}),
            "unlisted_choice.kubespawner_override.environment: the braces",
            id="braces in a key",
        ),
        pytest.param(an_entry(accelerator="h100"), "accelerator: no accelerator 'h100'", id="none"),
        pytest.param(an_entry(accelerator=["a100"]), "accelerator: no acc", id="a list of them"),
        pytest.param(an_entry(session_limit="soon"), "session_limit: ", id="a session limit"),
        pytest.param(an_entry(when_full="queue"), "when_full: 'queue' is not", id="when_full"),
        pytest.param(an_entry(wait_limit="1h"), "nobody waits for this", id="a limit of no wait"),
        pytest.param(an_entry(fallbacks=["no"]), "fallbacks[0]: no other profile 'no'", id="out"),
        pytest.param(an_entry(fallbacks=["gpu-a100"]), "fallbacks[0]: no other", id="itself"),
    ],
)
def test_an_entry_with_a_mistake_is_offered_to_nobody_and_takes_no_other_away(
    entry: Any, words: str
) -> None:
    stocked = with_profile_list([entry, OPEN], a_catalog(), TRAITS)
    assert [profile.slug for profile in stocked.catalog.profiles] == ["cpu", "open"]
    [problem] = stocked.problems
    assert words in problem
    assert problem.startswith("profile_list[0]")
    assert problem.endswith(UNTIL_THEN)


@pytest.mark.parametrize(
    ("listed", "taken_by"),
    [
        pytest.param([OPEN, {"display_name": "CPU"}], "the catalog", id="the catalog's stays"),
        pytest.param(
            [OPEN, {"display_name": "(open)"}],
            "profile_list[0] ('Open')",
            id="of two the first, as KubeSpawner does",
        ),
    ],
)
def test_of_one_slug_there_is_one_profile(listed: list[Any], taken_by: str) -> None:
    stocked = with_profile_list(listed, a_catalog())
    assert [profile.title for profile in stocked.catalog.profiles] == ["CPU", "Open"]
    [problem] = stocked.problems
    assert f"is taken by {taken_by}, which stays; write another slug" in problem


KEYS = (
    "display_name",
    "slug",
    "allowed_groups",
    "accelerator",
    "kubespawner_override",
    "profile_options",
    "size",
    "choices",
    "s",
    "unlisted_choice",
    "enabled",
)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
        ),
        max_leaves=15,
    )
)
def test_whatever_stands_in_a_list_the_sound_entry_after_it_stays(anything: Any) -> None:
    sound = {"display_name": "Sound", "slug": "the-sound-one"}
    stocked = with_profile_list([anything, sound], a_catalog(), TRAITS)
    assert stocked.catalog.profiles[-1].slug == "the-sound-one"
    assert len(stocked.catalog.profiles) + bool(stocked.problems) == 3


def test_keys_that_kubespawner_does_not_know_are_left_alone() -> None:
    assert one(an_entry(node_type="large", image_name="x")).slug == "gpu-a100"


def test_fields_of_a_catalog_s_profile_mean_the_same_in_an_entry() -> None:
    keys = {"session_limit": "8h", "when_full": "wait", "wait_limit": "2h", "fallbacks": ["open"]}
    stocked = with_profile_list([an_entry(**keys, description="For training"), OPEN], None)
    profile = stocked.catalog.profiles[0]
    assert (profile.session_limit, profile.when_full) == ("8h", ("wait",))
    assert (profile.longest_wait, profile.fallbacks) == (7200, ("open",))
    assert (profile.title, profile.description) == ("GPU (A100)", "For training")


def test_an_old_name_of_a_trait_is_read_as_its_new_one() -> None:
    assert one(an_entry(kubespawner_override={"image_spec": "x:1"})).kubespawner_override == {
        "image": "x:1"
    }


@pytest.mark.parametrize(
    ("person", "choices", "default"),
    [
        pytest.param(Person("ada", frozenset({"hpc"})), ["s", "m", "l"], "l", id="all"),
        pytest.param(Person("bob"), ["m"], "m", id="one, which is then the default"),
    ],
)
def test_choices_are_those_that_are_open_to_the_person(
    person: Person, choices: list[str], default: str
) -> None:
    gated = {"allowed_groups": ["hpc"]}
    entry = with_option(choices={"s": gated, "m": {}, "l": {**gated, "default": True}})
    catalog = open_to(with_profile_list([entry], None).catalog, person)
    [option] = catalog.profiles[0].options
    assert [choice.slug for choice in option.choices] == choices
    assert option.default is not None
    assert option.default.slug == default


def test_of_whom_no_choice_is_left_has_not_the_profile_either() -> None:
    entry = with_option(choices={"s": {"allowed_users": ["ada"]}})
    catalog = with_profile_list([entry, OPEN], a_catalog()).catalog
    assert [p.slug for p in open_to(catalog, Person("bob")).profiles] == ["cpu", "open"]
    assert open_to(catalog, Person("ada")) is catalog


def test_what_may_be_written_can_be_closed() -> None:
    catalog = with_profile_list([unlisted(allowed_users=["ada"])], None).catalog
    written = [
        open_to(catalog, Person(name)).profiles[0].options[0].unlisted is not None
        for name in ("ada", "bob")
    ]
    assert written == [True, False]


def test_what_is_not_enabled_cannot_be_written() -> None:
    [option] = one(with_option(unlisted_choice={"display_name": "Other"})).options
    assert option.unlisted is None


def test_which_entries_change_settings_to_what_functions_give() -> None:
    fixed = one(unlisted(kubespawner_override={"image": "{value}"}))
    in_choice = one(with_option(choices={"s": {"kubespawner_override": {"image": lambda _: "x"}}}))
    assert (is_dynamic(fixed), is_dynamic(in_choice)) == (False, True)


LIST_WITH_OUR_KEYS: list[dict[str, Any]] = [
    {
        "display_name": "GPU (A100)",
        "allowed_groups": ["hpc"],
        "allowed_users": ["ada"],
        "accelerator": "a100",
        "session_limit": "8h",
        "when_full": "wait",
        "fallbacks": ["small"],
        "kubespawner_override": {"extra_resource_limits": {GPU: "1"}, "mem_limit": "8G"},
        "profile_options": {
            "image": {
                "display_name": "Image",
                "choices": {
                    "base": {
                        "display_name": "Base",
                        "allowed_groups": ["hpc"],
                        "kubespawner_override": {"image": "example/base:1"},
                    }
                },
                "unlisted_choice": {
                    "enabled": True,
                    "allowed_users": ["ada"],
                    "kubespawner_override": {"image": "{value}"},
                },
            }
        },
    },
    {"display_name": "Small"},
]


async def test_kubespawner_itself_takes_a_list_with_our_keys() -> None:
    """Nothing has to be rewritten to go back to it."""
    spawner = KubeSpawner(_mock=True, profile_list=deepcopy(LIST_WITH_OUR_KEYS))
    spawner.user_options = {"profile": "gpu-a100", "image": "base"}
    await spawner.load_user_options()
    assert (spawner.image, spawner.mem_limit) == ("example/base:1", 8 * 2**30)
    assert "GPU (A100)" in spawner._options_form_default()
    kept = deepcopy(LIST_WITH_OUR_KEYS)
    assert with_profile_list(LIST_WITH_OUR_KEYS, a_catalog(), TRAITS).problems == ()
    assert kept == LIST_WITH_OUR_KEYS
