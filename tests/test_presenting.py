"""What is shown of an offer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from gpuspawner.capacity.freshness import Freshness, Permission
from gpuspawner.capacity.model import Node, Pod
from gpuspawner.catalog import with_profile_list
from gpuspawner.form import Preselection, render
from gpuspawner.offers import Situation, offers_in
from gpuspawner.policy import Person
from gpuspawner.presenting import Presentation, PresentedOffer, PresentedUnlisted, present

from .builders import GPU, LIVE, a_catalog, a_node, a_pod, a_profile, a_situation

FREE: list[Node | Pod] = [a_node(gpus=2)]
FULL: list[Node | Pod] = [a_node(gpus=2), a_pod(gpus=2)]
GIB = 2**30


def presented(situation: Situation) -> dict[str, PresentedOffer]:
    return {offer.slug: offer for offer in present(offers_in(situation)).offers}


def of_profile(*things: Node | Pod, **fields: Any) -> PresentedOffer:
    """What is shown of one profile, named gpu, among these nodes and pods."""
    parts = {
        name: fields.pop(name) for name in ("accelerators", "volumes", "access") if name in fields
    }
    catalog = a_catalog(a_profile("gpu", **fields), **parts)
    return presented(a_situation(catalog, *things))["gpu"]


@pytest.mark.parametrize(
    ("accelerator", "kind"),
    [
        pytest.param({}, "gpu", id="a device of one's own"),
        pytest.param({"sharing": "mig"}, "slice", id="a slice of a device"),
        pytest.param({"sharing": "time-slicing"}, "shared", id="turns on a device"),
        pytest.param({"sharing": "mps", "shared_by": 4}, "shared", id="a device with others"),
    ],
)
def test_its_kind_is_how_the_device_is_shared(accelerator: dict[str, Any], kind: str) -> None:
    a100 = {"title": "A100", "resource": GPU, "memory": "40Gi", **accelerator}
    offer = of_profile(accelerators={"a100": a100})
    assert offer.kind == kind
    assert offer.accelerator is not None
    assert offer.accelerator.sharing == accelerator.get("sharing", "exclusive")
    assert offer.accelerator.shared_by == accelerator.get("shared_by")
    assert offer.accelerator.memory == 40 * GIB
    assert offer.accelerator.in_words


def test_a_profile_without_an_accelerator_is_of_the_kind_cpu() -> None:
    offer = presented(a_situation(a_catalog()))["cpu"]
    assert (offer.kind, offer.accelerator, offer.default) == ("cpu", None, True)


def test_amounts_are_told_in_cores_and_bytes_and_in_words() -> None:
    offer = of_profile(cpu={"guarantee": "500m", "limit": 2}, memory="64Gi", session_limit="8h")
    assert (offer.cpu.guarantee, offer.cpu.limit) == (0.5, 2)
    assert (offer.memory.guarantee, offer.memory.limit) == (64 * GIB, 64 * GIB)
    assert offer.session_limit == 8 * 3600
    assert offer.facts == (
        "2 CPU cores, 0.5 guaranteed",
        "64 GiB of memory",
        "ends after 8 hours; unsaved work is lost",
    )


def test_what_the_hub_decides_is_not_told() -> None:
    offer = of_profile()
    assert (offer.cpu.guarantee, offer.memory.limit, offer.session_limit) == (None, None, None)
    assert (offer.facts, offer.images, offer.volumes) == ((), (), ())


@pytest.mark.parametrize(
    ("marked", "default"),
    [
        pytest.param({}, "a", id="the first, where none is marked"),
        pytest.param({"default": True}, "b", id="the one that is marked"),
    ],
)
def test_which_image_is_taken_if_none_is_chosen(marked: dict[str, Any], default: str) -> None:
    images = [
        {"slug": "a", "title": "A", "image": "x/y:1"},
        {"slug": "b", "title": "B", "image": "x/y:2", **marked},
    ]
    offer = of_profile(images=images)
    assert [(image.slug, image.title) for image in offer.images] == [("a", "A"), ("b", "B")]
    assert [image.slug for image in offer.images if image.default] == [default]


@pytest.mark.parametrize(
    ("source", "after_stop"),
    [
        pytest.param({"claim": {"name": "a"}}, "kept", id="a claim that exists stays"),
        pytest.param({"nfs": {"server": "s", "path": "/e"}}, "kept", id="an NFS export stays"),
        pytest.param({"empty_dir": {}}, "gone", id="an empty directory goes"),
        pytest.param({"ephemeral": {"size": "1Gi"}}, "gone", id="a volume made for it goes"),
        pytest.param({"shared_memory": {"size": "1Gi"}}, "gone", id="memory goes"),
        pytest.param(
            {"host_path": {"path": "/a"}}, "stays-on-its-node", id="a directory of the node stays"
        ),
    ],
)
def test_what_survives_a_stop(source: dict[str, Any], after_stop: str) -> None:
    volume = {"mount_path": "/data", "read_only": True, **source}
    catalog = a_catalog(a_profile("gpu", volumes=["data"]), volumes={"data": volume})
    [shown] = presented(a_situation(catalog, *FREE))["gpu"].volumes
    assert (shown.name, shown.read_only, shown.after_stop) == ("data", True, after_stop)


def test_nobody_is_told_what_becomes_of_files_in_shared_memory() -> None:
    volumes = {
        "shm": {"shared_memory": {"size": "1Gi"}},
        "scratch": {"mount_path": "/s", "empty_dir": {}},
    }
    catalog = a_catalog(a_profile("gpu", volumes=["shm", "scratch"]), volumes=volumes)
    files = presented(a_situation(catalog, *FREE))["gpu"].files
    assert files == ("scratch: emptied when the server stops",)


@pytest.mark.parametrize(
    ("things", "fields", "expected"),
    [
        pytest.param(FREE, {}, ("free", True, False, None, None), id="it is free"),
        pytest.param(
            FULL, {}, ("busy", False, False, None, "cpu"), id="it is busy, and another is not"
        ),
        pytest.param(
            FULL,
            {"when_full": ["wait"]},
            ("busy", False, True, 0, None),
            id="it is busy, and one can wait for it",
        ),
        pytest.param(FREE, {"count": 64}, ("never", False, False, None, "cpu"), id="it never fits"),
        pytest.param([], {}, ("busy", False, False, None, None), id="nothing can be started"),
    ],
)
def test_where_it_stands_and_what_comes_nearest(
    things: list[Node | Pod], fields: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    offer = of_profile(*things, **fields)
    found = (offer.standing, offer.can_start, offer.can_wait, offer.ahead, offer.nearest)
    assert found == expected
    assert offer.availability.startswith(
        {"free": "2 of 2 free", "busy": "busy: ", "never": "never fits: "}[offer.standing]
    )


def test_how_many_are_ahead_is_told_of_those_who_can_wait_alone() -> None:
    catalog = a_catalog(a_profile("gpu", when_full=["wait"]))
    offers = [replace(offer, ahead=3) for offer in offers_in(a_situation(catalog, *FULL))]
    ahead = {offer.slug: offer.ahead for offer in present(offers).offers}
    assert ahead == {"cpu": None, "gpu": 3}


@pytest.mark.parametrize(
    ("freshness", "state", "age"),
    [
        pytest.param(LIVE, "live", 0.2, id="it is known"),
        pytest.param(Freshness("stale", age=90.04), "stale", 90.0, id="it was known"),
        pytest.param(Freshness("starting"), "starting", None, id="it was never known"),
        pytest.param(
            Freshness("denied", missing=(Permission("list", "nodes"),)),
            "denied",
            None,
            id="it may not be known",
        ),
    ],
)
def test_how_fresh_it_is(freshness: Freshness, state: str, age: float | None) -> None:
    situation = a_situation(a_catalog(a_profile()), *FREE, freshness=freshness)
    presentation = present(offers_in(situation))
    assert (presentation.freshness.state, presentation.freshness.age) == (state, age)
    assert {offer.standing == "unknown" for offer in presentation.offers} == {state != "live"}


def test_the_page_says_what_is_presented() -> None:
    images = [{"slug": "a", "title": "The image A", "image": "x/y:1"}]
    catalog = a_catalog(a_profile("gpu", images=images, cpu=2), a_profile("huge", count=64))
    offers = offers_in(a_situation(catalog, *FULL))
    html = render(offers, Preselection())
    for offer in present(offers).offers:
        assert all(fact in html for fact in offer.facts)
        assert offer.availability in html
        assert f'data-standing="{offer.standing}"' in html
    assert "The image A" in html


def test_nothing_is_presented_that_is_not_the_persons_business() -> None:
    hidden = {
        "env": {"TOKEN": "secret-in-env"},
        "kubespawner_override": {"extra_labels": {"a": "secret-in-override"}},
        "images": [{"slug": "a", "title": "A", "image": "secret-registry/x:1"}],
        "volumes": ["data"],
    }
    accelerator = {
        "title": "A100",
        "resource": GPU,
        "node_selector": {"secret-label": "x"},
        "tolerations": [{"key": "secret-taint", "operator": "Exists"}],
        "runtime_class": "secret-runtime",
        "priority_class": "secret-priority",
    }
    nfs = {"server": "secret-server", "path": "/secret-export"}
    catalog = a_catalog(
        a_profile("gpu", **hidden),
        a_profile("hidden", title="secret-profile", fallbacks=["gpu"]),
        accelerators={"a100": accelerator},
        volumes={"data": {"mount_path": "/secret-mount", "nfs": nfs}},
        access=[
            {"groups": ["secret-group"], "profiles": ["hidden"]},
            {"groups": ["secret-group", "hpc"], "profiles": ["gpu"]},
            {"users": ["ada", "secret-person"], "profiles": ["cpu"]},
        ],
    )
    node = a_node("secret-node", gpus=2, labels={"secret-label": "x"})
    person = Person("ada", frozenset({"hpc", "secret-group-of-ada"}))
    for used in range(3):
        pod = a_pod("secret-pod", node=node.name, gpus=used, namespace="secret-namespace")
        text = as_json(present(offers_in(a_situation(catalog, node, pod, person=person))))
        assert "secret" not in text
        grants = [offer["granted_by"] for offer in json.loads(text)["offers"]]
        assert grants == ["user ada", "group hpc"]


def as_json(presentation: Presentation) -> str:
    return msgspec.json.encode(presentation).decode()


def of_entry(entry: dict[str, Any], *things: Node | Pod, **catalog: Any) -> PresentedOffer:
    """What is shown of an entry of KubeSpawner's own list."""
    stocked = with_profile_list([{"display_name": "E", **entry}], a_catalog(**catalog))
    assert stocked.problems == ()
    return presented(a_situation(stocked.catalog, *things))["e"]


@pytest.mark.parametrize(
    ("resources", "kind", "facts"),
    [
        pytest.param({}, "cpu", (), id="nothing"),
        pytest.param({GPU: "1"}, "gpu", ("1 GPU",), id="a GPU"),
        pytest.param({"amd.com/gpu": 2}, "gpu", ("2 GPUs",), id="two of another vendor"),
        pytest.param({"nvidia.com/mig-1g.5gb": 1}, "slice", ("1 MIG 1g.5gb slice",), id="a slice"),
        pytest.param({"nvidia.com/gpu.shared": 1}, "shared", ("1 shared GPU",), id="shared"),
        pytest.param({"example.com/fpga": 1}, "cpu", ("1 example.com/fpga",), id="what is no GPU"),
        pytest.param({"ephemeral-storage": "1Gi"}, "cpu", (), id="what is no device"),
    ],
)
def test_a_device_of_an_entry_that_names_no_accelerator(
    resources: dict[str, Any], kind: str, facts: tuple[str, ...]
) -> None:
    offer = of_entry({"kubespawner_override": {"extra_resource_limits": resources}}, *FREE)
    assert (offer.kind, offer.accelerator, offer.facts) == (kind, None, facts)


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        pytest.param({GPU: 2}, 2, id="as many as the pod asks for"),
        pytest.param({}, None, id="not at all, where the pod does not ask for it"),
    ],
)
def test_an_accelerator_is_how_a_device_is_shown(asked: dict[str, int], count: int | None) -> None:
    entry = {"accelerator": "a100", "kubespawner_override": {"extra_resource_limits": asked}}
    offer = of_entry(entry, *FREE)
    assert (offer.accelerator.count if offer.accelerator else None) == count
    assert offer.kind == ("gpu" if count else "cpu")
    assert offer.facts == ()


def test_amounts_of_an_entry_are_those_of_its_pod() -> None:
    override = {"cpu_guarantee": 0.5, "cpu_limit": 2, "mem_limit": "4G"}
    offer = of_entry({"kubespawner_override": override, "session_limit": "8h"}, *FREE)
    assert (offer.cpu.guarantee, offer.cpu.limit) == (0.5, 2)
    assert (offer.memory.guarantee, offer.memory.limit) == (None, 4 * GIB)
    assert offer.facts == (
        "2 CPU cores, 0.5 guaranteed",
        "4 GiB of memory",
        "ends after 8 hours; unsaved work is lost",
    )


def test_an_entry_is_judged_with_its_default_choices() -> None:
    choices = {
        number: {"kubespawner_override": {"extra_resource_limits": {GPU: number}}}
        for number in ("1", "8")
    }
    marked = {**choices, "8": {**choices["8"], "default": True}}
    for made, standing in ((choices, "free"), (marked, "never")):
        options = {"gpus": {"display_name": "GPUs", "choices": made}}
        assert of_entry({"profile_options": options}, *FREE).standing == standing


def test_what_is_shown_of_options() -> None:
    option = {
        "display_name": "Image",
        "choices": {"a": {"kubespawner_override": {"image": "secret/a"}}, "b": {"default": True}},
        "unlisted_choice": {
            "enabled": True,
            "display_name": "Reference",
            "display_name_in_choices": "Another one",
            "validation_regex": "[a-z]+",
            "validation_message": "Letters",
            "kubespawner_override": {"image": "secret/{value}"},
        },
    }
    offer = of_entry({"profile_options": {"image": option, "b": {"choices": {"x": {}}}}})
    image, other = offer.options
    assert (image.name, image.title, other.title, other.unlisted) == ("image", "Image", "b", None)
    assert [(c.slug, c.title, c.default) for c in image.choices] == [
        ("a", "a", False),
        ("b", "b", True),
    ]
    assert image.unlisted == PresentedUnlisted("Reference", "Another one", "[a-z]+", "Letters")
    assert "secret" not in json.dumps(msgspec.to_builtins(offer))
