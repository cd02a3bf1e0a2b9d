"""What may, and what may not, stand in a profile's kubespawner_override."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import indent
from types import SimpleNamespace

import pytest
from kubespawner import KubeSpawner

from gpuspawner.catalog import Problem
from gpuspawner.catalog.overrides import MACHINERY, TEMPLATED
from gpuspawner.catalog.templates import NAMES

Examine = Callable[..., list[Problem]]
Compose = Callable[..., str]
Line = Callable[[str], int]

TRAITS = frozenset(KubeSpawner.class_trait_names())

REFUSED = [
    pytest.param(
        "",
        "node_selectr: {a: b}",
        "node_selectr",
        "KubeSpawner has no trait 'node_selectr'",
        "did you mean 'node_selector'?",
        id="a trait that does not exist names the one that was meant",
    ),
    pytest.param(
        "", "profile_list: []", "profile_list", "is the hub's to set", None, id="a profile list"
    ),
    pytest.param(
        "", "options_form: x", "options_form", "is the hub's to set", None, id="an options form"
    ),
    pytest.param("", "namespace: x", "namespace", "is the hub's to set", None, id="a namespace"),
    pytest.param(
        "image: a", "image: b", "image", "image says this already", "one place", id="image, twice"
    ),
    pytest.param(
        "images: [{slug: a, title: A, image: a}]",
        "image: b",
        "image",
        "images says this already",
        "one place",
        id="image, beside a choice of images",
    ),
    pytest.param(
        "cpu: 2", "cpu_limit: 3", "cpu_limit", "cpu.limit says", "one place", id="cpu_limit, twice"
    ),
    pytest.param(
        "cpu: {guarantee: 1}",
        "cpu_guarantee: 1",
        "cpu_guarantee",
        "cpu.guarantee says",
        "one place",
        id="cpu_guarantee, twice",
    ),
    pytest.param(
        "memory: 2Gi", "mem_limit: 2G", "mem_limit", "memory.limit", "one place", id="mem_limit"
    ),
    pytest.param(
        "memory: 2Gi",
        "mem_guarantee: 2G",
        "mem_guarantee",
        "memory.guarantee",
        "one place",
        id="mem_guarantee, twice",
    ),
    pytest.param(
        "env: {A: b}",
        "environment: {A: c}",
        "environment.A",
        "env.A says this already",
        "one place",
        id="an environment variable, twice",
    ),
    pytest.param(
        "accelerator: special",
        "extra_resource_limits: {a.b/c: 2}",
        'extra_resource_limits["a.b/c"]',
        "accelerators.special says this already",
        "one place",
        id="the accelerator's resource, twice",
    ),
    pytest.param(
        "accelerator: special",
        "node_selector: {gpu: other}",
        "node_selector.gpu",
        "accelerators.special.node_selector says this already",
        "one place",
        id="the accelerator's node label, twice",
    ),
    pytest.param(
        "accelerator: special",
        "extra_pod_config: {runtimeClassName: runc}",
        "extra_pod_config.runtimeClassName",
        "accelerators.special.runtime_class says this already",
        "one place",
        id="the accelerator's runtime class, twice",
    ),
    pytest.param(
        "accelerator: special",
        "priority_class_name: low",
        "priority_class_name",
        "accelerators.special.priority_class says this already",
        "one place",
        id="the accelerator's priority class, twice",
    ),
    pytest.param(
        "",
        "extra_labels: {a: '{user}'}",
        "extra_labels.a",
        "cannot expand the braces in '{user}'",
        "did you mean {userid}?",
        id="a brace in a label",
    ),
    pytest.param(
        "",
        "init_containers: [{name: a, command: [sh, -c, 'echo ${HOME}']}]",
        "init_containers[0].command[2]",
        "cannot expand the braces",
        "double a brace",
        id="a shell variable in an init container",
    ),
    pytest.param(
        "",
        "volumes: {a: {name: a, hostPath: {path: '/h/{unescaped_username}'}}}",
        "volumes.a.hostPath.path",
        "lets a person named '../..' leave it",
        "use {username}",
        id="a raw user name in a volume",
    ),
    pytest.param(
        "",
        "environment: {NVIDIA_VISIBLE_DEVICES: all}",
        "environment.NVIDIA_VISIBLE_DEVICES",
        "GPUs that it was not scheduled for",
        "name an accelerator",
        id="GPUs past the device plugin",
    ),
]

DEVICES = [
    pytest.param("extra_resource_limits: {nvidia.com/gpu: 1}", True, id="a limit"),
    pytest.param("extra_resource_limits: {nvidia.com/gpu: '1'}", True, id="a limit as text"),
    pytest.param("extra_resource_guarantees: {amd.com/gpu: 1}", True, id="a guarantee"),
    pytest.param(
        "extra_container_config: {resources: {limits: {nvidia.com/gpu: 1}}}",
        True,
        id="the container's own limits",
    ),
    pytest.param(
        "extra_pod_config: {resourceClaims: [{name: gpu}]}", True, id="a claim of the pod"
    ),
    pytest.param("extra_resource_limits: {nvidia.com/gpu: 0}", False, id="a limit of zero"),
    pytest.param("extra_resource_limits: {ephemeral-storage: 1Gi}", False, id="disk"),
    pytest.param("extra_resource_limits: null", False, id="nothing"),
]

SOUND = [
    pytest.param("cpu: {limit: 2}", "cpu_guarantee: 1", id="the half that cpu leaves open"),
    pytest.param("env: {A: b}", "environment: {B: c}", id="another environment variable"),
    pytest.param("", "cmd: [start.sh]", id="a command"),
    pytest.param("", "extra_labels: {team: '{username}', json: '{{}}'}", id="doubled braces"),
    pytest.param("", "node_selector: {a: '{'}", id="a brace where nothing is expanded"),
    pytest.param("", "storage_class: null", id="a null, which takes a trait back"),
    pytest.param("", "environment: {NVIDIA_VISIBLE_DEVICES: void}", id="no GPUs past the plugin"),
    pytest.param("accelerator: special", "node_selector: {zone: a}", id="another node label"),
]

SPECIAL = """
    special:
      title: Special
      resource: a.b/c
      runtime_class: nvidia
      priority_class: high
      node_selector: {gpu: special}
"""


def _profile(fields: str, override: str) -> str:
    lines = ["- slug: x", "  title: X", f"  {fields}" if fields else ""]
    return "\n".join([*filter(None, lines), "  kubespawner_override:", indent(override, "    ")])


@pytest.mark.parametrize(("fields", "override", "field", "message", "hint"), REFUSED)
def test_an_override_is_refused(
    *,
    fields: str,
    override: str,
    field: str,
    message: str,
    hint: str | None,
    compose: Compose,
    problems: Examine,
    marked_line: Line,
) -> None:
    written = compose(accelerators=SPECIAL, profiles=_profile(fields, f"{override}  # <-"))
    [problem] = problems(written, TRAITS)
    assert problem.line == marked_line(written)
    assert problem.field == f"profiles[1].kubespawner_override.{field}"
    assert message in problem.message
    assert (problem.hint is None) == (hint is None)
    assert (hint or "") in (problem.hint or "")


@pytest.mark.parametrize(("fields", "override"), SOUND)
def test_an_override_is_sound(
    fields: str, override: str, compose: Compose, problems: Examine
) -> None:
    written = compose(accelerators=SPECIAL, profiles=_profile(fields, override))
    assert problems(written, TRAITS) == []


@pytest.mark.parametrize(("override", "is_refused"), DEVICES)
def test_the_default_profile_hides_no_device_in_its_override(
    override: str, is_refused: bool, problems: Examine
) -> None:
    written = (
        "profiles:\n- slug: x\n  title: X\n  default: true\n"
        f"  kubespawner_override:\n    {override}\n"
    )
    found = problems(written, TRAITS)
    assert [problem.message for problem in found] == (
        ["the default profile must not ask for a device"] if is_refused else []
    )


def test_names_of_traits_are_not_checked_when_none_are_known(
    compose: Compose, problems: Examine
) -> None:
    assert problems(compose(profiles=_profile("", "site_trait: 1"))) == []


def test_every_trait_named_here_is_one_of_kubespawner() -> None:
    assert TRAITS >= MACHINERY | TEMPLATED


class _Recorder(str):
    """A template that remembers the names it could have used."""

    names: frozenset[str] = frozenset()

    def format(self, *_: object, **names: object) -> str:
        type(self).names = frozenset(names)
        return ""


def test_the_names_in_braces_are_those_that_kubespawner_expands() -> None:
    spawner = SimpleNamespace(
        name="",
        user=SimpleNamespace(name="someone", id=1),
        slug_scheme="safe",
        _namespace_default=lambda: "hub",
    )
    KubeSpawner._expand_user_properties(spawner, _Recorder())
    assert _Recorder.names == NAMES
