"""What must hold between the parts of a catalog."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from gpuspawner.catalog import Problem

Examine = Callable[..., list[Problem]]
Line = Callable[[str], int]

DEVICES = "accelerators: {a: {title: A, resource: a.b/c}}"
SHARED = "accelerators: {a: {title: A, resource: a.b/c, sharing: "
MOUNTS = "volumes: {v: {mount_path: /d, empty_dir: {}}, w: {mount_path: /d/, empty_dir: {}}}"

REFUSED = [
    pytest.param(
        "profiles: []  # <-",
        "profiles",
        "at least one profile",
        None,
        id="a catalog without profiles",
    ),
    pytest.param(
        """
        profiles:  # <-
          - {slug: a, title: A}
        """,
        "profiles",
        "no profile is the default",
        "write default: true in 'a'",
        id="a single profile says that it is the default",
    ),
    pytest.param(
        f"""
        {DEVICES}
        profiles:  # <-
          - {{slug: gpu, title: GPU, accelerator: a}}
          - {{slug: plain, title: Plain}}
        """,
        "profiles",
        "no profile is the default",
        "write default: true in 'plain'",
        id="the profile proposed as the default has no accelerator",
    ),
    pytest.param(
        f"""
        {DEVICES}
        profiles:  # <-
          - {{slug: gpu, title: GPU, accelerator: a}}
        """,
        "profiles",
        "no profile is the default",
        "add one without an accelerator",
        id="where each profile has an accelerator none is proposed as the default",
    ),
    pytest.param(
        f"""
        {DEVICES}
        profiles:
          - {{slug: gpu, title: GPU, default: true, accelerator: a}}  # <-
        """,
        "profiles[0].accelerator",
        "the default profile must not ask for a device",
        "make another profile the default",
        id="the default profile has an accelerator",
    ),
    pytest.param(
        f"""
        {SHARED}mps}}}}
        profiles:
          - {{slug: cpu, title: CPU, default: true}}
          - {{slug: gpu, title: GPU, accelerator: a, count: 2}}  # <-
        """,
        "profiles[1].count",
        "2 of a.b/c (mps): its device plugin serves one at a time",
        "write count: 1",
        id="two of a device shared by MPS",
    ),
    pytest.param(
        f"""
        {SHARED}time-slicing}}}}
        profiles:
          - {{slug: cpu, title: CPU, default: true}}
          - {{slug: gpu, title: GPU, accelerator: a, count: 2}}  # <-
        """,
        "profiles[1].count",
        "2 of a.b/c (time-slicing): its device plugin serves one at a time",
        "fail_requests_greater_than_one: false in accelerators.a",
        id="two of a time-sliced device, of whose plugin nothing is said",
    ),
    pytest.param(
        f"""
        {SHARED}time-slicing, fail_requests_greater_than_one: true}}}}
        profiles:
          - {{slug: cpu, title: CPU, default: true}}
          - {{slug: gpu, title: GPU, accelerator: a, count: 2}}  # <-
        """,
        "profiles[1].count",
        "serves one at a time",
        "write count: 1",
        id="two of a time-sliced device whose plugin refuses two",
    ),
    pytest.param(
        f"""
        {MOUNTS}
        profiles:
          - {{slug: cpu, title: CPU, default: true, volumes: [v, w]}}  # <-
        """,
        "profiles[0].volumes[1]",
        "'w' mounts at /d/, where 'v' is",
        "change the mount_path",
        id="two volumes at one mount path, a slash apart",
    ),
    pytest.param(
        """
        profiles:
          - slug: a
            title: A
            default: true
            accelerator: a100  # <-
        """.replace("default: true", "default: false")
        + "  - {slug: b, title: B, default: true}\n",
        "profiles[0].accelerator",
        "no accelerator 'a100'",
        "the catalog names none",
        id="an accelerator where the catalog names none",
    ),
]

SOUND = [
    pytest.param(
        f"{SHARED}time-slicing, fail_requests_greater_than_one: false}}}}", 2, id="slices"
    ),
    pytest.param(f"{SHARED}time-slicing}}}}", 1, id="one slice"),
    pytest.param(f"{SHARED}mps, shared_by: 4}}}}", 1, id="one share"),
    pytest.param(f"{SHARED}mig}}}}", 2, id="MIG behind the whole GPU's name (strategy single)"),
    pytest.param(DEVICES, 8, id="eight whole devices"),
]


@pytest.mark.parametrize(("text", "field", "message", "hint"), REFUSED)
def test_parts_that_do_not_agree_are_refused(
    *, text: str, field: str, message: str, hint: str | None, problems: Examine, marked_line: Line
) -> None:
    written = dedent(text) if text.startswith("\n") else text
    [problem] = problems(written)
    assert (problem.line, problem.field) == (marked_line(written), field)
    assert message in problem.message
    assert (hint or "") in (problem.hint or "")


@pytest.mark.parametrize(("accelerators", "count"), SOUND)
def test_a_count_that_the_device_plugin_serves_is_sound(
    accelerators: str, count: int, problems: Examine
) -> None:
    profiles = (
        "profiles:\n"
        "  - {slug: cpu, title: CPU, default: true}\n"
        f"  - {{slug: gpu, title: GPU, accelerator: a, count: {count}}}\n"
    )
    assert problems(f"{accelerators}\n{profiles}") == []


ONCE = [
    pytest.param(
        "accelerators: {a: 3}\nprofiles:\n- {slug: x, title: X, accelerator: a}\n"
        "- {slug: c, title: C, default: true}",
        ["accelerators.a"],
        id="an accelerator that was refused is not also unknown",
    ),
    pytest.param(
        "volumes: {Bad: {mount_path: /x, empty_dir: {}}}\n"
        "profiles: [{slug: c, title: C, default: true, volumes: [Bad]}]",
        ["volumes.Bad"],
        id="a volume that was refused is not also unknown",
    ),
    pytest.param(
        "volumes: {v: {mount_path: /x, nfs: 3}}\nprofiles: [{slug: c, title: C, default: true}]",
        ["volumes.v.nfs"],
        id="a volume whose source was refused is not also without one",
    ),
    pytest.param(
        "volumes: {v: {shared_memory: {}}}\nprofiles: [{slug: c, title: C, default: true}]",
        ["volumes.v.shared_memory.size"],
        id="a refused shared memory does not also lack a mount path",
    ),
    pytest.param(
        "profiles: [{slug: c, title: C, default: 'true'}]",
        ["profiles[0].default"],
        id="where a default was refused the default is not also missing",
    ),
    pytest.param(
        "profiles: [{slug: Bad, title: C, default: true}]\n"
        "access: [{users: ['*'], profiles: [Bad]}]",
        ["profiles[0].slug"],
        id="a profile whose slug was refused is not also unknown to access rules",
    ),
    pytest.param(
        "profiles: 3\naccess: [{users: ['*'], profiles: [x]}]",
        ["profiles"],
        id="profiles that are no list are not also missing",
    ),
    pytest.param(
        "profiles: [{slug: c, title: C, default: true, accelerator: 3, count: 2}]",
        ["profiles[0].accelerator"],
        id="a count of an accelerator that was refused is not also of nothing",
    ),
    pytest.param(
        "profiles: [{slug: c, title: C, default: true}]\naccess: [{users: 3, profiles: [c]}]",
        ["access[0].users"],
        id="a rule whose users were refused is not also for nobody",
    ),
    pytest.param(
        "profiles: [{slug: c, title: C, default: true, cpu: lots}]",
        ["profiles[0].cpu"],
        id="a shorthand is refused once",
    ),
]


@pytest.mark.parametrize(("text", "fields"), ONCE)
def test_one_mistake_is_one_problem(text: str, fields: list[str], problems: Examine) -> None:
    assert [problem.field for problem in problems(text)] == fields


def test_no_mistake_hides_another(problems: Examine) -> None:
    text = """
        acelerators: {}
        accelerators:
          a: {title: A, resource: a.b/c, sharing: mps}
        volumes:
          v: {mount_path: v, empty_dir: {}}
        profiles:
          - plain text
          - {slug: GPU, title: 1.1, acelerator: a}
          - {slug: gpu, title: A, accelerator: b, cpu: {guarantee: 2, limit: 1}, volumes: [w]}
          - {title: B, accelerator: a, count: 2, memory: 1GB, env: {A: on, B: "{"}}
          - {slug: c, title: C, image: A, images: [{slug: d, title: D, image: E}, {slug: d}]}
        access:
          - {profiles: []}
    """
    assert {problem.field for problem in problems(text)} == {
        "acelerators",
        "volumes.v.mount_path",
        "profiles[0]",
        "profiles[1].slug",
        "profiles[1].title",
        "profiles[1].acelerator",
        "profiles[2].slug",
        "profiles[2].accelerator",
        "profiles[2].cpu.guarantee",
        "profiles[2].volumes[0]",
        "profiles[3].slug",
        "profiles[3].count",
        "profiles[3].memory",
        "profiles[3].env.A",
        "profiles[3].env.B",
        "profiles[4].image",
        "profiles[4].images[0].image",
        "profiles[4].images[1].slug",
        "profiles[4].images[1].title",
        "profiles[4].images[1].image",
        "access[0].groups",
        "access[0].profiles",
    }
