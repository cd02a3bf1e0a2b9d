"""What was asked for, from whatever came in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuspawner.catalog import Catalog, with_profile_list
from gpuspawner.selection import Selection, SelectionError, of_form, read_selection

from .builders import a_catalog, a_profile

IMAGES = [
    {"slug": "cuda11", "title": "CUDA 11", "image": "x/y:11"},
    {"slug": "cuda12", "title": "CUDA 12", "image": "x/y:12", "default": True},
]
CATALOG = a_catalog(a_profile("gpu", images=IMAGES), a_profile("big", count=2))
HUGE = "x" * 1_000_000


@pytest.mark.parametrize(
    ("options", "profile", "image"),
    [
        pytest.param(None, "cpu", None, id="no options mean the default profile"),
        pytest.param({}, "cpu", None, id="empty options mean the default profile"),
        pytest.param({"profile": None}, "cpu", None, id="a null profile means the default one"),
        pytest.param({"profile": ""}, "cpu", None, id="an empty profile means the default one"),
        pytest.param({"profile": "gpu"}, "gpu", None, id="a profile is named by its slug"),
        pytest.param(
            {"profile": "gpu", "image": "cuda11"}, "gpu", "cuda11", id="an image by its own"
        ),
        pytest.param({"profile": "gpu", "image": ""}, "gpu", None, id="an empty image is none"),
        pytest.param({"profile": "gpu", "image": None}, "gpu", None, id="a null image is none"),
        pytest.param(
            {"profile": "gpu", "image--unlisted-choice": "evil/image", "mem_limit": "1T"},
            "gpu",
            None,
            id="what else stands there is left alone",
        ),
        pytest.param(
            {"user_options": {"profile": "gpu"}}, "gpu", None, id="the envelope of JupyterHub 6"
        ),
        pytest.param(
            {"user_options": {"profile": "gpu"}, "display_name": "mine"},
            "gpu",
            None,
            id="the envelope with a display name",
        ),
        pytest.param({"user_options": None}, "cpu", None, id="an empty envelope"),
        pytest.param(
            {"user_options": {"user_options": {"profile": "gpu"}}},
            "cpu",
            None,
            id="an envelope in an envelope is not opened",
        ),
        pytest.param(
            {"user_options": {"profile": "gpu"}, "profile": "big"},
            "big",
            None,
            id="a user_options among options is no envelope",
        ),
        pytest.param({"display_name": "mine"}, "cpu", None, id="a display name alone"),
    ],
)
def test_what_is_selected(options: object, profile: str, image: str | None) -> None:
    selection = read_selection(options, CATALOG)
    assert selection.profile.slug == profile
    assert (selection.image.slug if selection.image else None) == image


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param([], "must be a JSON object", id="a list"),
        pytest.param("gpu", "must be a JSON object", id="a text"),
        pytest.param(1, "must be a JSON object", id="a number"),
        pytest.param(False, "must be a JSON object", id="a boolean"),
        pytest.param({"user_options": "gpu"}, "must be a JSON object", id="a text in an envelope"),
        pytest.param({"user_options": ["gpu"]}, "must be a JSON object", id="a list in one"),
        pytest.param(
            {"profile": "h100"},
            "The profile 'h100' is not open to this account.",
            id="an unknown profile",
        ),
        pytest.param(
            {"profile": "GPU"}, "The profile 'GPU' is not open to this account.", id="another case"
        ),
        pytest.param(
            {"profile": " gpu"},
            "The profile ' gpu' is not open to this account.",
            id="a space before it",
        ),
        pytest.param(
            {"profile": "*"}, "The profile '*' is not open to this account.", id="a wildcard"
        ),
        pytest.param(
            {"profile": ["gpu"]},
            "The profile ['gpu'] is not open to this account.",
            id="a list of one",
        ),
        pytest.param(
            {"profile": {"a": 1}},
            "The profile {'a': 1} is not open to this account.",
            id="an object",
        ),
        pytest.param({"profile": 0}, "The profile 0 is not open to this account.", id="zero"),
        pytest.param(
            {"profile": False}, "The profile False is not open to this account.", id="false"
        ),
        pytest.param({"profile": True}, "The profile True is not open to this account.", id="true"),
        pytest.param(
            {"profile": "a\r\nb\x00\x1b[0m\u202e"},
            r"The profile 'a\r\nb\x00\x1b[0m\u202e' is not open to this account.",
            id="control characters are spelled out",
        ),
        pytest.param(
            {"profile": HUGE},
            f"The profile '{'x' * 37}...{'x' * 38}' is not open to this account.",
            id="of a huge text both ends are shown",
        ),
        pytest.param(
            {"profile": "gpu", "image": "cuda13"},
            "The profile Gpu has no image 'cuda13'.",
            id="an unknown image",
        ),
        pytest.param(
            {"profile": "gpu", "image": "x/y:11"},
            "The profile Gpu has no image 'x/y:11'.",
            id="an image reference is not a choice",
        ),
        pytest.param(
            {"profile": "big", "image": "cuda11"},
            "The profile Big has no image 'cuda11'.",
            id="an image of another profile",
        ),
        pytest.param(
            {"profile": "gpu", "image": ["cuda11"]},
            "The profile Gpu has no image ['cuda11'].",
            id="a list of one image",
        ),
        pytest.param(
            {"image": "cuda11"},
            "The profile CPU has no image 'cuda11'.",
            id="an image that the default profile does not have",
        ),
    ],
)
def test_what_is_refused(options: object, words: str) -> None:
    with pytest.raises(SelectionError) as refusal:
        read_selection(options, CATALOG)
    assert words in str(refusal.value)


@pytest.mark.parametrize("option", ["profile", "image"])
def test_options_nested_without_end_are_refused(option: str) -> None:
    nested: Any = "gpu"
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(SelectionError):
        read_selection({"profile": "gpu", option: nested}, CATALOG)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["gpu", "big", "cpu", "cuda11", HUGE]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["profile", "image", "user_options", "display_name"]) | st.text(),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@given(JSON)
def test_any_json_is_a_selection_or_is_refused_in_words_of_bounded_length(options: Any) -> None:
    try:
        selection = read_selection(options, CATALOG)
    except SelectionError as refusal:
        words = str(refusal)
        assert len(words) < 200
        assert words.isprintable()
    else:
        assert isinstance(selection, Selection)
        assert selection.profile in CATALOG.profiles
        assert selection.image is None or selection.image in selection.profile.images


def test_of_a_closed_profile_no_choice_is_read() -> None:
    asked = {"profile": "gpu", "image": "gone"}
    selection = read_selection(asked, CATALOG, lambda profile: profile.slug != "gpu")
    assert selection == Selection(CATALOG.profiles[1])
    with pytest.raises(SelectionError):
        read_selection(asked, CATALOG, lambda _: True)


@given(JSON)
def test_a_selection_survives_the_database(options: Any) -> None:
    """JupyterHub stores options as JSON and reads them again at the next start."""
    try:
        selection = read_selection(options, CATALOG)
    except SelectionError:
        return
    assert read_selection(json.loads(json.dumps(options)), CATALOG) == selection


def sized(**option: Any) -> Catalog:
    """A catalog beside a list of one entry, with an option."""
    choices = {"s": {"display_name": "Small"}, "l": {"display_name": "Large", "default": True}}
    entry = {
        "display_name": "Sized",
        "profile_options": {"size": {"display_name": "Size", "choices": choices, **option}},
    }
    stocked = with_profile_list([entry], CATALOG)
    assert stocked.problems == ()
    return stocked.catalog


WRITTEN = {
    "enabled": True,
    "display_name": "Another size",
    "validation_regex": "[0-9]+ cores?",
    "validation_message": "Write a number of cores, such as 4 cores.",
}
LETTERS = {"enabled": True}


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        pytest.param({}, {}, id="nothing, for which the default counts"),
        pytest.param({"size": "s"}, {"size": "s"}, id="a choice"),
        pytest.param({"size": ""}, {}, id="an empty choice is none"),
        pytest.param({"size": None}, {}, id="a null choice is none"),
        pytest.param(
            {"size--unlisted-choice": "4 cores"}, {"size": ("4 cores",)}, id="what was written"
        ),
        pytest.param(
            {"size": "s", "size--unlisted-choice": "4 cores"},
            {"size": ("4 cores",)},
            id="which counts before a choice, as in KubeSpawner",
        ),
        pytest.param({"size": "s", "size--unlisted-choice": ""}, {"size": "s"}, id="an empty text"),
        pytest.param(
            {"size": "unlisted-choice", "size--unlisted-choice": "1 core"},
            {"size": ("1 core",)},
            id="the choice of a form that something is written",
        ),
        pytest.param({"colour": "red", "image": ["x"], "profile_options": 7}, {}, id="what is not"),
    ],
)
def test_what_is_chosen_of_options(options: dict[str, Any], chosen: dict[str, Any]) -> None:
    selection = read_selection({"profile": "sized", **options}, sized(unlisted_choice=WRITTEN))
    found = {
        name: (choice,) if isinstance(choice, str) else choice.slug
        for name, choice in selection.options.items()
    }
    assert found == chosen


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"size": "xl"}, "Sized has no choice 'xl' of Size.", id="an unknown choice"),
        pytest.param({"size": "S"}, "Sized has no choice 'S' of Size.", id="in another case"),
        pytest.param({"size": ["s"]}, "Sized has no choice ['s'] of Size.", id="a list"),
        pytest.param({"size": {"s": 1}}, "Sized has no choice {'s': 1} of Size.", id="an object"),
        pytest.param({"size": 0}, "Sized has no choice 0 of Size.", id="a number"),
        pytest.param({"size": False}, "Sized has no choice False of Size.", id="a boolean"),
        pytest.param(
            {"size": "unlisted-choice"},
            "Sized needs something to be written as Another size.",
            id="the form's choice that something is written, and nothing is",
        ),
        *(
            pytest.param(
                {"size--unlisted-choice": text},
                "Sized takes as Another size a text of at most 512 characters, without braces and "
                "line breaks.",
                id=name,
            )
            for name, text in {
                "a text that is too long": "1" * 513,
                "a huge one": HUGE,
                "a list to write": ["4 cores"],
                "a number to write": 4,
                "an object to write": {"value": "4 cores"},
                "True to write": True,
                "what KubeSpawner would expand": "{username} cores",
                "what would reach into objects": "{0.__class__}",
                "a brace alone": "4 cores}",
                "two lines": "4\ncores",
                "a null": "4 cores\x00",
                "half a surrogate pair": "\ud800",
            }.items()
        ),
        *(
            pytest.param(
                {"size--unlisted-choice": text},
                "What was written as Another size of Sized is not of the form that it takes. Write "
                "a number of cores, such as 4 cores.",
                id=name,
            )
            for name, text in {
                "not as described": "many",
                "more after what is described": "4 cores; rm -rf /",
                "more before it": "x 4 cores",
            }.items()
        ),
    ],
)
def test_what_is_refused_of_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SelectionError) as refused:
        read_selection({"profile": "sized", **options}, sized(unlisted_choice=WRITTEN))
    assert str(refused.value) == words


def test_nothing_can_be_written_where_that_is_not_enabled() -> None:
    options = {"profile": "sized", "size--unlisted-choice": "4 cores"}
    with pytest.raises(SelectionError, match="takes nothing but the listed choices of Size"):
        read_selection(options, sized())


def test_where_there_are_no_choices_something_has_to_be_written() -> None:
    catalog = sized(choices={}, unlisted_choice=LETTERS)
    with pytest.raises(SelectionError, match="needs something to be written as Size"):
        read_selection({"profile": "sized"}, catalog)
    written = read_selection({"profile": "sized", "size--unlisted-choice": "7"}, catalog)
    assert written.options == {"size": "7"}


def test_an_option_called_image_is_not_the_catalog_s_choice_of_images() -> None:
    entry = {"display_name": "E", "profile_options": {"image": {"choices": {"a": {}, "b": {}}}}}
    catalog = with_profile_list([entry], CATALOG).catalog
    selection = read_selection({"profile": "e", "image": "b"}, catalog)
    assert selection.image is None
    assert list(selection.options) == ["image"]


def test_a_list_without_a_default_has_none() -> None:
    empty = with_profile_list([], None).catalog
    with pytest.raises(SelectionError, match="the default one is not open to this account"):
        read_selection({}, empty)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        pytest.param({"size": "s", "size--unlisted-choice": "left over"}, {"size": "s"}, id="not"),
        pytest.param(
            {"size": "unlisted-choice", "size--unlisted-choice": "7"},
            {"size": "unlisted-choice", "size--unlisted-choice": "7"},
            id="the choice says so",
        ),
        pytest.param(
            {"size--unlisted-choice": "7"},
            {"size--unlisted-choice": "7"},
            id="as KubeSpawner's form sends it",
        ),
    ],
)
def test_a_text_of_a_form_counts_if_the_choice_says_so(
    sent: dict[str, str], meant: dict[str, str]
) -> None:
    assert of_form({"profile": "sized", **sent}) == {"profile": "sized", **meant}


def test_a_pattern_that_takes_ages_is_given_up() -> None:
    endless = {**WRITTEN, "validation_regex": "([a-z0-9]+[._/-]?)+:[a-z0-9]+"}
    options = {"profile": "sized", "size--unlisted-choice": "a" * 512}
    with pytest.raises(SelectionError, match="is not of the form that it takes"):
        read_selection(options, sized(unlisted_choice=endless))
