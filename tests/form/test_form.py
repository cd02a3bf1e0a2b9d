"""The spawn form, read as a browser reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import groupby
from typing import Any

import pytest
from kubespawner import KubeSpawner

from gpuspawner.capacity.freshness import Freshness
from gpuspawner.capacity.model import Node, Pod
from gpuspawner.catalog import Catalog
from gpuspawner.form import Preselection, edition, render
from gpuspawner.offers import Situation, offers_in
from gpuspawner.policy import Person
from gpuspawner.presenting import presented_offers
from gpuspawner.selection import read_selection

from ..builders import GPU, LIVE, a_catalog, a_node, a_pod, a_profile, a_situation

IMAGES = [
    {"slug": "cuda11", "title": "CUDA 11", "image": "registry.example/x/y:11"},
    {"slug": "cuda12", "title": "CUDA 12", "image": "registry.example/x/y:12", "default": True},
]
CELL, KEY = "gpuspawner-cell-", "gpuspawner-key-"
VOID = frozenset({"input", "link"})
TIMES = "\N{MULTIPLICATION SIGN}"
NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """Every element in its order, with the text within it; a tag left open is a failure."""

    elements: list[Element] = field(default_factory=list)
    inside: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}: {attrs}"
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in VOID:
            self.inside.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self.inside:
            element.text += data

    @property
    def shape(self) -> list[tuple[str, list[str]]]:
        """Tags and names of attributes, which no text may change."""
        return [(element.tag, list(element.attributes)) for element in self.elements]

    @property
    def text(self) -> str:
        return " ".join(" ".join(e.text for e in self.elements if e.tag == "fieldset").split())

    def all(self, tag: str, **attributes: str) -> list[Element]:
        return [
            element
            for element in self.elements
            if element.tag == tag and attributes.items() <= element.attributes.items()
        ]


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.inside == []
    return page


def page_of(situation: Situation, last: Preselection | None = None) -> Page:
    return read(render(offers_in(situation), last or Preselection()))


FREE: list[Node | Pod] = [a_node(gpus=2)]
CATALOG = a_catalog(
    a_profile("gpu", images=IMAGES, cpu={"guarantee": 1, "limit": 2}, memory="64Gi"),
    a_profile("two", count=2),
    a_profile("huge", count=64),
)


def radios(page: Page) -> dict[str, Element]:
    return {str(one.attributes["value"]): one for one in page.all("input", type="radio")}


def test_each_offer_is_a_choice_with_a_label_and_a_description() -> None:
    page = page_of(a_situation(CATALOG, *FREE))
    choices = radios(page)
    assert list(choices) == ["cpu", "gpu", "two", "huge"]
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(set(ids)) == len(ids)
    for radio in choices.values():
        assert radio.attributes["name"] == "profile"
        assert page.all("label", **{"for": str(radio.attributes["id"])})
        assert set(str(radio.attributes["aria-describedby"]).split()) <= set(ids)


@pytest.mark.parametrize(
    ("pods", "last", "chosen"),
    [
        pytest.param(110, "", ["cpu"], id="what can be started is chosen beforehand"),
        pytest.param(1, "", ["gpu"], id="else what can be waited for"),
        pytest.param(1, "other", ["other"], id="of that, the last choice"),
    ],
)
def test_what_can_only_be_waited_for_can_be_chosen(pods: int, last: str, chosen: list[str]) -> None:
    catalog = a_catalog(
        a_profile("gpu", when_full="wait"),
        a_profile("other", when_full="wait"),
        a_profile("now", when_full="refuse"),
    )
    situation = a_situation(catalog, a_node(gpus=2, pods=pods), a_pod(gpus=2))
    choices = radios(page_of(situation, Preselection(last)))
    assert [slug for slug, radio in choices.items() if "disabled" not in radio.attributes] == [
        *(["cpu"] if pods > 1 else []),
        "gpu",
        "other",
    ]
    assert [slug for slug, radio in choices.items() if "checked" in radio.attributes] == chosen


def test_what_is_told_of_a_profile() -> None:
    text = page_of(a_situation(CATALOG, *FREE)).text
    assert f"1 {TIMES} NVIDIA A100, yours alone" in text
    assert f"2 {TIMES} NVIDIA A100" in text
    assert "2 CPU cores, 1 guaranteed" in text
    assert "64 GiB of memory" in text
    assert "2 of 2 free, on 1 node" in text
    assert "never fits: asks for 64 NVIDIA A100, the largest node offers 2" in text
    assert "Granted" not in text


def test_a_form_that_was_shown_before_is_not_shown_again_for_another() -> None:
    access = [
        {"users": ["ada"], "profiles": ["gpu"]},
        {"users": ["*"], "profiles": ["*"]},
    ]
    catalog = a_catalog(a_profile("gpu"), access=access)
    busy: list[Node | Pod] = [a_node(gpus=2), a_pod(gpus=2)]
    stale = Freshness("stale", age=90)

    def texts() -> list[str]:
        situations = (
            a_situation(catalog, *FREE),
            a_situation(catalog, *FREE, person=Person("grace")),
            a_situation(catalog, *busy),
            a_situation(catalog, *FREE, freshness=stale),
        )
        return [page_of(situation).text for situation in situations]

    adas, graces, full, unknown = once = texts()
    assert "Granted to ada by name" in adas
    assert "Granted" not in graces
    assert "2 of 2 free" in adas
    assert "none of 2 free" in full
    assert "2 of 2" not in unknown
    assert texts() == once


def test_a_grant_is_told_unless_it_is_everyones() -> None:
    access = [
        {"users": ["*"], "profiles": ["cpu"]},
        {"groups": ["hpc"], "profiles": ["gpu"]},
        {"users": ["ada"], "profiles": ["two"]},
    ]
    catalog = a_catalog(a_profile("gpu"), a_profile("two", count=2), access=access)
    page = page_of(a_situation(catalog, *FREE))
    grants = [element.text for element in page.all("p", **{"class": "gpuspawner-fine"})]
    assert grants == ["Granted by the group hpc", "Granted to ada by name"]


@pytest.mark.parametrize(
    "things",
    [FREE, [a_node(gpus=2), a_pod(gpus=1)], [a_node(gpus=2), a_pod(gpus=2)], [a_node()], []],
    ids=["all free", "half free", "busy", "no GPUs", "no nodes"],
)
@pytest.mark.parametrize("freshness", [LIVE, Freshness("stale", age=90), Freshness("starting")])
def test_a_choice_is_disabled_exactly_where_it_cannot_be_started(
    things: list[Node | Pod], freshness: Freshness
) -> None:
    situation = a_situation(CATALOG, *things, freshness=freshness)
    page = page_of(situation)
    for offer in offers_in(situation):
        slug = offer.profile.slug
        assert ("disabled" in radios(page)[slug].attributes) is not offer.can_start
        for select in page.all("select", name=f"profile-option-{slug}--image"):
            assert ("disabled" in select.attributes) is not offer.can_start
        [card] = page.all("div", **{"data-profile": slug})
        assert card.attributes["data-standing"] == offer.standing.value


@pytest.mark.parametrize(
    ("things", "last", "checked"),
    [
        pytest.param(FREE, "", ["cpu"], id="the default, where nothing was chosen before"),
        pytest.param(FREE, "two", ["two"], id="what was chosen last"),
        pytest.param(
            FREE, "huge", ["two"], id="what comes nearest, where the last cannot be started"
        ),
        pytest.param(FREE, "gone", ["cpu"], id="the default, where the last is gone"),
        pytest.param([], "gpu", [], id="nothing, where nothing can be started"),
    ],
)
def test_what_is_chosen_beforehand(things: list[Node | Pod], last: str, checked: list[str]) -> None:
    page = page_of(a_situation(CATALOG, *things), Preselection(last))
    found = [slug for slug, radio in radios(page).items() if "checked" in radio.attributes]
    assert found == checked
    assert ("None of these can be started" in page.text) is (checked == [])


def test_the_default_is_chosen_wherever_it_stands() -> None:
    written = CATALOG.model_dump(exclude_unset=True)
    first, *others = written["profiles"]
    catalog = Catalog.model_validate({**written, "profiles": [*others, first]})
    page = page_of(a_situation(catalog, *FREE))
    assert list(radios(page)) == ["cpu", "gpu", "two", "huge"]
    assert [s for s, radio in radios(page).items() if "checked" in radio.attributes] == ["cpu"]


def test_the_first_that_can_be_started_stands_in_for_a_default_that_is_not_offered() -> None:
    access = [{"users": ["*"], "profiles": ["huge", "two"]}]
    catalog = a_catalog(a_profile("huge", count=64), a_profile("two", count=2), access=access)
    page = page_of(a_situation(catalog, *FREE))
    assert [s for s, radio in radios(page).items() if "checked" in radio.attributes] == ["two"]


@pytest.mark.parametrize(
    ("last", "selected"),
    [
        pytest.param(Preselection(), "cuda12", id="the default image"),
        pytest.param(Preselection("gpu"), "cuda12", id="the default, where none was chosen"),
        pytest.param(
            Preselection("gpu", {"image": "cuda11"}), "cuda11", id="the image chosen last"
        ),
        pytest.param(
            Preselection("two", {"image": "cuda11"}),
            "cuda12",
            id="an image chosen for another profile",
        ),
    ],
)
def test_which_image_is_selected(last: Preselection, selected: str) -> None:
    page = page_of(a_situation(CATALOG, *FREE), last)
    options = {
        str(option.attributes["value"]): "selected" in option.attributes
        for option in page.all("option")
    }
    assert options == {"cuda11": selected == "cuda11", "cuda12": selected == "cuda12"}


GONE = "What you chose last is not offered to you any more. CPU is chosen instead."
HUGE = "Huge, which you chose last, cannot be started now. Two is chosen instead."
LINKED = "Huge, which the link asks for, cannot be started now. Two is chosen instead."
INSTEAD = "Two is chosen instead."
NO_LINK = (
    "What the link asks for is not offered to you. Ask whoever sent it, or the people who run "
    "this hub. CPU is chosen instead."
)
NOTICE = {"class": "gpuspawner-notice", "role": "status"}


@pytest.mark.parametrize(
    ("last", "said"),
    [
        pytest.param(Preselection(), [], id="nothing was chosen before"),
        pytest.param(Preselection("gpu"), [], id="it is still offered"),
        pytest.param(Preselection("huge"), [HUGE], id="it is offered, and never fits"),
        pytest.param(
            Preselection("huge", is_linked=True), [LINKED], id="a link asks for what never fits"
        ),
        pytest.param(
            Preselection("of-others", is_linked=True), [NO_LINK], id="a link asks for others' own"
        ),
        pytest.param(
            Preselection(holds=False, is_linked=True), [NO_LINK], id="a link asks for nothing known"
        ),
        pytest.param(
            Preselection("huge", is_refused=True),
            [INSTEAD],
            id="a start of it was refused just now",
        ),
        pytest.param(
            Preselection("gpu", is_refused=True), [], id="it was refused, and is free now"
        ),
        pytest.param(Preselection("of-others"), [GONE], id="it is offered to others"),
        pytest.param(Preselection(holds=False), [GONE], id="the catalog has it no more"),
    ],
)
def test_what_is_not_chosen_although_it_was_asked_for_is_said(
    last: Preselection, said: list[str]
) -> None:
    page = page_of(a_situation(CATALOG, *FREE), last)
    assert [one.text.strip() for one in page.all("p", **NOTICE)] == said
    assert "of-others" not in page.text


def test_nothing_is_said_to_be_chosen_instead_where_nothing_can_be_started() -> None:
    page = page_of(a_situation(CATALOG), Preselection(holds=False))
    [notice] = page.all("p", **NOTICE)
    gone = GONE.partition(" CPU")[0]
    assert notice.text.startswith(f"{gone} None of these can be started at the moment.")


async def test_what_a_browser_sends_is_read_back_as_what_was_chosen() -> None:
    page = page_of(a_situation(CATALOG, *FREE), Preselection("gpu", {"image": "cuda11"}))
    fields = {"profile": ["gpu"]}
    for select in page.all("select"):
        [chosen] = [e.attributes["value"] for e in page.all("option") if "selected" in e.attributes]
        fields[str(select.attributes["name"])] = [str(chosen)]
    spawner = KubeSpawner(_mock=True)
    selection = read_selection(spawner.options_from_form(fields), CATALOG)
    assert selection.profile.slug == "gpu"
    assert selection.image is not None
    assert selection.image.slug == "cuda11"


@pytest.mark.parametrize(
    ("things", "freshness", "words"),
    [
        pytest.param(FREE, LIVE, "As of when this page was loaded.", id="just now"),
        pytest.param(
            FREE, Freshness("live", age=12.6), "As of when this page was loaded.", id="a bit ago"
        ),
        pytest.param(
            FREE, Freshness("stale", age=90), "The availability is not known.", id="stale"
        ),
        pytest.param(
            FREE, Freshness("starting"), "The availability is not known.", id="not yet known"
        ),
    ],
)
def test_what_the_figures_are_worth(
    things: list[Node | Pod], freshness: Freshness, words: str
) -> None:
    assert words in page_of(a_situation(CATALOG, *things, freshness=freshness)).text


@pytest.mark.parametrize("state", ["stale", "denied", "starting"])
def test_what_is_not_known_is_shown_without_figures(state: Any) -> None:
    catalog = a_catalog(a_profile("gpu"))
    page = page_of(a_situation(catalog, *FREE, freshness=Freshness(state)))
    for now in page.elements:
        if "gpuspawner-now" in str(now.attributes.get("class")):
            assert now.text.strip().startswith("unknown: ")
            assert not any(character.isdigit() for character in now.text)


HOSTILE = [
    "<script>alert(1)</script>",
    "</label></div><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' autofocus onfocus='alert(1)",
    "{{ 7 * 7 }}{% for a in cards %}x{% endfor %}",
    "</textarea><!-- <style>",
    "&lt;b&gt; &amp;",
    "</style><script>alert(1)</script>",
]


def a_catalog_saying(text: str) -> Catalog:
    """A catalog with `text` in every field that people read."""
    return a_catalog(
        a_profile(
            title=text,
            description=text,
            images=[{"slug": "a", "title": text, "image": "x/y:1"}],
        ),
        accelerators={"a100": {"title": text, "resource": GPU}},
        access=[{"groups": ["*"], "profiles": ["gpu"]}],
    )


def a_page_saying(text: str) -> Page:
    person = Person("ada", frozenset({text}))
    situation = a_situation(a_catalog_saying(text), *FREE, person=person)
    # Its title is said to be chosen instead of what is gone.
    return page_of(situation, Preselection(holds=False))


def test_each_part_of_a_bar_has_its_key() -> None:
    nodes = a_node(gpus=2), a_node("n2", gpus=2, unschedulable=True)
    catalog = a_catalog(a_profile(), a_profile("plain", accelerator=None, cpu=8))
    page = page_of(a_situation(catalog, *nodes, a_pod(gpus=1, cpu=32)))
    drawn = [str(cell.attributes["class"]).removeprefix(CELL) for cell in page.all("rect")]
    keys = [
        (str(item.attributes["class"]).removeprefix(KEY), item.text)
        for item in page.all("li")
        if (item.attributes.get("class") or "").startswith(KEY)
    ]
    [_pattern, *parts] = (state for state, _cells in groupby(drawn))
    assert [state for state, _text in keys] == parts == ["free", "used", "unusable"] * 3
    assert [text for _state, text in keys[3:]] == [
        "4 free",
        "room for 4 taken",
        "8 not usable here",
        "1 free",
        "1 in use",
        "2 not usable here",
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_is_written_is_shown_as_text_and_adds_no_markup(text: str) -> None:
    page = a_page_saying(text)
    assert page.shape == a_page_saying("harmless").shape
    [label] = [e for e in page.all("label") if e.attributes["for"] == "gpuspawner-gpu"]
    assert label.text == text
    assert [option.text for option in page.all("option")] == [text]
    assert text in [paragraph.text for paragraph in page.all("p")]
    assert f"1 {TIMES} {text}" in [strong.text for strong in page.all("strong")]
    assert f"Granted by the group {text}" in [span.text for span in page.all("span")]


def test_nothing_is_shown_that_is_not_for_people() -> None:
    secrets = {
        "env": {"TOKEN": "secret-in-env"},
        "kubespawner_override": {"extra_labels": {"a": "secret-in-override"}},
        "volumes": ["data"],
        "images": [{"slug": "a", "title": "A", "image": "secret-registry/x:1"}],
    }
    catalog = a_catalog(
        a_profile("gpu", **secrets),
        {"slug": "plain", "title": "Plain", "image": "secret-registry/y:1"},
        a_profile("hidden", title="secret-profile"),
        accelerators={
            "a100": {
                "title": "A100",
                "resource": GPU,
                "node_selector": {"secret-label": "x"},
                "tolerations": [{"key": "secret-taint", "operator": "Exists"}],
                "runtime_class": "secret-runtime",
                "priority_class": "secret-priority",
            }
        },
        volumes={
            "data": {
                "mount_path": "/secret-mount",
                "nfs": {"server": "secret-server", "path": "/secret-export"},
            }
        },
        access=[{"users": ["ada", "secret-person"], "profiles": ["cpu", "gpu", "plain"]}],
    )
    node = a_node("secret-node", gpus=2, labels={"secret-label": "x"})
    pod = a_pod("secret-pod", node="secret-node", gpus=1)
    for things in ([node, pod], [a_node("secret-node")], [node, a_pod(node=node.name, gpus=2)]):
        for mounts in ([], [{"name": "secret-volume-of-the-hub", "mountPath": "/secret-mount"}]):
            base = {"volume_mounts": mounts}
            html = render(offers_in(a_situation(catalog, *things, base=base)), Preselection())
            assert "secret" not in html
            assert "ada" not in read(html).text.replace("Granted to ada by name", "")


def test_a_fault_of_one_profile_does_not_make_stale_figures_look_checked() -> None:
    catalog = a_catalog(
        a_profile(volumes=["data"]), volumes={"data": {"mount_path": "/data", "empty_dir": {}}}
    )
    base: dict[str, object] = {"volume_mounts": [{"name": "shared", "mountPath": "/data"}]}
    stale = Freshness("stale", age=90)
    offers = offers_in(a_situation(catalog, a_node(), base=base, freshness=stale))
    assert "The availability is not known." in render(offers, Preselection())


def test_no_two_elements_have_the_same_id() -> None:
    catalog = a_catalog(
        a_profile("x", images=[{"slug": "a", "title": "A", "image": "a"}]),
        *(a_profile(f"x-{part}") for part in ("about", "now", "image")),
    )
    page = page_of(a_situation(catalog, *FREE))
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids)) > 8


def test_the_memory_of_a_device_is_told_and_of_several_for_each() -> None:
    catalog = a_catalog(
        a_profile("one"),
        a_profile("two", count=2),
        accelerators={"a100": {"title": "A100", "resource": GPU, "memory": "40Gi"}},
    )
    facts = [e.text for e in page_of(a_situation(catalog, *FREE)).all("li")]
    assert f"1 {TIMES} A100, 40{NO_BREAK}GiB, yours alone" in facts
    assert f"2 {TIMES} A100, 40{NO_BREAK}GiB each, all on one node, yours alone" in facts


def test_another_edition_is_one_of_which_a_card_says_something_else() -> None:
    def of(free: bool = True, **accelerator: Any) -> str:
        known = {"title": "A100", "resource": GPU, "sharing": "exclusive", **accelerator}
        catalog = a_catalog(a_profile(), accelerators={"a100": known})
        pods = () if free else (a_pod(gpus=1),)
        return edition(presented_offers(offers_in(a_situation(catalog, a_node(gpus=1), *pods))))

    assert of() == of(free=False)
    assert of() != of(title="H100")
    assert of() != of(sharing="time-slicing", shared_by=4)
