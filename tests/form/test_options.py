"""The options of an entry of KubeSpawner's own list, in the form and on their way back."""

from __future__ import annotations

from typing import Any

import pytest
from kubespawner import KubeSpawner

from gpuspawner.catalog import Catalog, with_profile_list
from gpuspawner.form import Preselection
from gpuspawner.selection import as_options, of_form, read_selection

from ..builders import a_catalog, a_node, a_situation
from .test_form import HOSTILE, Page, page_of

UNLISTED = {
    "enabled": True,
    "display_name": "Reference",
    "display_name_in_choices": "Another image",
    "validation_regex": "[a-z/]+:[0-9]+",
    "validation_message": "Write it as repository:tag.",
    "kubespawner_override": {"image": "{value}"},
}
OPTIONS: dict[str, Any] = {
    "image": {
        "display_name": "Image",
        "choices": {"a": {"display_name": "A"}, "b": {"display_name": "B", "default": True}},
        "unlisted_choice": UNLISTED,
    },
    "size": {"display_name": "Size", "choices": {"s": {}, "l": {}}},
    "key": {"choices": {}, "unlisted_choice": {"enabled": True, "display_name": "Key"}},
}


def catalog(options: dict[str, Any] = OPTIONS, **entry: Any) -> Catalog:
    listed = [{"display_name": "E", "profile_options": options, **entry}]
    stocked = with_profile_list(listed, a_catalog())
    assert stocked.problems == ()
    return stocked.catalog


def page(last: Preselection | None = None, **given: Any) -> Page:
    return page_of(a_situation(catalog(**given), a_node()), last)


def sent(page: Page) -> dict[str, list[str]]:
    """What a browser without JavaScript sends of the card."""
    fields: dict[str, list[str]] = {"profile": ["e"]}
    select = ""
    for element in page.elements:
        attributes = element.attributes
        if element.tag == "select":
            select = str(attributes["name"])
        if element.tag == "option" and "selected" in attributes:
            fields[select] = [str(attributes["value"])]
        if attributes.get("type") == "text":
            fields[str(attributes["name"])] = [str(attributes.get("value") or "")]
    return fields


def test_each_option_is_labelled_by_what_it_is_called() -> None:
    shown = page()
    labels = {label.attributes["for"]: label.text for label in shown.all("label")}
    assert [labels[str(e.attributes["id"])] for e in shown.all("select")] == ["Image", "Size"]
    texts = shown.all("input", type="text")
    assert [labels[str(text.attributes["id"])] for text in texts] == ["Reference", "Key"]
    assert [o.text for o in shown.all("option")] == ["A", "B", "Another image", "s", "l"]
    assert texts[0].attributes["pattern"] == "[a-z/]+:[0-9]+"
    [described] = shown.all("span", id=str(texts[0].attributes["aria-describedby"]))
    assert described.text == "Write it as repository:tag."


async def test_what_is_sent_is_what_kubespawner_s_own_form_would_send() -> None:
    """So that its reading of a form, and links that people have kept, stay what they were."""
    spawner = KubeSpawner(
        _mock=True, profile_list=[{"display_name": "E", "profile_options": OPTIONS}]
    )
    theirs = spawner._options_form_default()
    for name in sent(page()):
        assert f'name="{name}"' in theirs


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        pytest.param({}, {"image": "b", "size": "s"}, id="the defaults"),
        pytest.param(
            {"image": "a", "size": "l"}, {"image": "a", "size": "l"}, id="what was chosen"
        ),
        pytest.param(
            {"image--unlisted-choice": "x/y:1"},
            {"image": "unlisted-choice", "image--unlisted-choice": "x/y:1", "size": "s"},
            id="what was written",
        ),
    ],
)
async def test_the_last_choices_are_made_again(
    options: dict[str, str], meant: dict[str, str]
) -> None:
    chosen = read_selection({"profile": "e", "key--unlisted-choice": "k", **options}, catalog())
    shown = page(Preselection("e", as_options(chosen)))
    read = of_form(KubeSpawner(_mock=True)._options_from_form(sent(shown)))
    key = {"key--unlisted-choice": "k"}
    assert {name: text for name, text in read.items() if text} == {"profile": "e", **key, **meant}
    assert as_options(read_selection(read, catalog())) == {**as_options(chosen), **meant}


def saying(text: str) -> Page:
    """A page with `text` in every field of an entry that people read or send."""
    unlisted = {**UNLISTED, "display_name": text, "display_name_in_choices": text}
    unlisted |= {"validation_message": text, "validation_regex": ""}
    choices = {text: {"display_name": text}}
    option = {"display_name": text, "choices": choices, "unlisted_choice": unlisted}
    last = Preselection("e", {text: "unlisted-choice", f"{text}--unlisted-choice": text})
    return page(
        last,
        options={text: option},
        display_name=text,
        slug="e",
        description=text,
        allowed_users=["*"],
        when_full="wait",
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_is_written_is_shown_as_text_and_adds_no_markup(text: str) -> None:
    shown = saying(text)
    assert shown.shape == saying("harmless").shape
    [picture] = shown.all("input", type="text")
    assert picture.attributes["value"] == text
    assert picture.attributes["name"] == f"profile-option-e--{text}--unlisted-choice"
    assert [option.text for option in shown.all("option")] == [text, text]
    assert text in [paragraph.text for paragraph in shown.all("p")]


def test_a_text_field_is_hidden_where_a_choice_can_say_that_it_is_meant() -> None:
    """By the style sheet, so that no script is needed for it."""
    kinds = [
        str(e.attributes["class"]).split() for e in page().all("div") if "class" in e.attributes
    ]
    options = [kind[1:] for kind in kinds if kind[0] == "gpuspawner-option"]
    # Image, what is written of it, Size, and Key, of which nothing can be chosen.
    assert options == [[], ["gpuspawner-written"], [], []]


def test_a_pattern_cannot_leave_its_attribute() -> None:
    pattern = '"><script>alert(1)</script>'
    unlisted = {**UNLISTED, "validation_regex": pattern}
    shown = page(options={"image": {"unlisted_choice": unlisted}})
    [field] = shown.all("input", type="text")
    assert field.attributes["pattern"] == pattern
    assert shown.all("script") == []


def test_what_cannot_be_started_cannot_be_chosen_from_either() -> None:
    override = {"extra_resource_limits": {"nvidia.com/gpu": 8}}
    shown = page(kubespawner_override=override)
    fields = [*shown.all("select"), *shown.all("input", type="text")]
    assert all("disabled" in field.attributes for field in fields)
