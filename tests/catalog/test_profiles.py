"""Mistakes in `profiles`, and what their admin is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Refusal = Callable[..., None]

PROFILES = [
    pytest.param(
        "- {slug: CPU2, title: X}  # <-",
        "profiles[1].slug",
        "'CPU2' is not a slug",
        "perhaps 'cpu2'",
        id="a slug has no capitals",
    ),
    pytest.param(
        "- {slug: a--b, title: X}  # <-",
        "profiles[1].slug",
        "'a--b' is not a slug",
        "perhaps 'a-b'",
        id="a slug has no double hyphen",
    ),
    pytest.param(
        f"- {{slug: {'a' * 64}, title: X}}  # <-",
        "profiles[1].slug",
        "is not a slug",
        "perhaps",
        id="a slug has at most 63 characters",
    ),
    pytest.param(
        "- title: X  # <-",
        "profiles[1].slug",
        "is required",
        None,
        id="a profile needs a slug",
    ),
    pytest.param(
        "-\n  slug: cpu  # <-\n  title: X",
        "profiles[1].slug",
        "the slug 'cpu' is taken",
        "profiles[0] has it",
        id="two profiles have one slug",
    ),
    pytest.param(
        "- {slug: x, title: X, default: true}  # <-",
        "profiles[1].default",
        "only one profile can be the default",
        "profiles[0] is it already",
        id="two profiles are the default",
    ),
    pytest.param(
        "- slug: x\n  title: X\n  accelerator: a10  # <-",
        "profiles[1].accelerator",
        "no accelerator 'a10'",
        "did you mean 'a100'?",
        id="an accelerator that does not exist",
    ),
    pytest.param(
        "- slug: x\n  title: X\n  volumes:\n    - data\n    - dta  # <-",
        "profiles[1].volumes[1]",
        "no volume 'dta'",
        "did you mean 'data'?",
        id="a volume that does not exist",
    ),
    pytest.param(
        "- {slug: x, title: X, volumes: [data, data]}  # <-",
        "profiles[1].volumes[1]",
        "the volume 'data' is listed twice",
        None,
        id="a volume listed twice",
    ),
    pytest.param(
        "- {slug: x, title: X, count: 1}  # <-",
        "profiles[1].count",
        "there is no accelerator to count",
        "name one under accelerator",
        id="a count of nothing",
    ),
    pytest.param(
        "- {slug: x, title: X, accelerator: a100, count: 0}  # <-",
        "profiles[1].count",
        "must be at least 1",
        None,
        id="a count of none",
    ),
    pytest.param(
        "- {slug: x, title: X, accelerator: a100, count: '2'}  # <-",
        "profiles[1].count",
        "expected a whole number, found the text '2'",
        "leave the quotes out: 2",
        id="a count in quotes",
    ),
    pytest.param(
        "- {slug: x, title: X, accelerator: a100, count: yes}  # <-",
        "profiles[1].count",
        "expected a whole number, found yes, which YAML reads as a boolean",
        None,
        id="a count that is a boolean",
    ),
    pytest.param(
        "- {slug: x, title: 1.10}  # <-",
        "profiles[1].title",
        "expected text, found the number 1.10",
        'quote it: "1.10"',
        id="a version is text",
    ),
    pytest.param(
        "- slug: x\n  title: X\n  description:  # <-",
        "profiles[1].description",
        "expected text, found nothing",
        "leave the field out",
        id="a field with nothing after its colon",
    ),
    pytest.param(
        "- {slug: x, title: X, image: Quay.io/A/b}  # <-",
        "profiles[1].image",
        "'Quay.io/A/b' is not an image reference",
        "lower case",
        id="a repository has no capitals",
    ),
    pytest.param(
        "- {slug: x, title: X, image: 'quay.io/a/b: latest'}  # <-",
        "profiles[1].image",
        "is not an image reference",
        "tag",
        id="an image reference has no spaces",
    ),
    pytest.param(
        "- {slug: x, title: X, image: a, images: [{slug: b, title: B, image: b}]}  # <-",
        "profiles[1].image",
        "image or images, not both",
        "one of the images",
        id="image and images",
    ),
    pytest.param(
        "- {slug: x, title: X, images: [{slug: b, title: B, image: b}, "
        "{slug: b, title: C, image: c}]}  # <-",
        "profiles[1].images[1].slug",
        "the slug 'b' is taken",
        "images[0] has it",
        id="two images have one slug",
    ),
    pytest.param(
        "- {slug: x, title: X, images: [{slug: b, title: B, image: b, default: true}, "
        "{slug: c, title: C, image: c, default: true}]}  # <-",
        "profiles[1].images[1].default",
        "only one image can be the default",
        "images[0] is it already",
        id="two images are the default",
    ),
    pytest.param(
        "- {slug: x, title: X, volumes: data}  # <-",
        "profiles[1].volumes",
        "expected a list, found the text 'data'",
        "write [data]",
        id="a text where a list belongs",
    ),
    pytest.param(
        "- x  # <-",
        "profiles[1]",
        "expected a mapping, found the text 'x'",
        None,
        id="a text where a profile belongs",
    ),
]

ENV = [
    pytest.param("A B", "x", 'env["A B"]', "not the name of an env", None, id="a space in a name"),
    pytest.param("1A", "x", 'env["1A"]', "not the name of an env", None, id="a digit first"),
    pytest.param("A", "1.10", "env.A", "found the number 1.10", '"1.10"', id="a number"),
    pytest.param("A", "on", "env.A", "found on, which YAML", '"on"', id="a boolean"),
    pytest.param("A", "'{\"a\": 1}'", "env.A", "cannot expand", "double", id="JSON"),
    pytest.param("A", "'${HOME}'", "env.A", "cannot expand", "double", id="a shell variable"),
    pytest.param("A", "'}'", "env.A", "do not pair up", "{{ or }}", id="a closing brace"),
    pytest.param("A", "'{}'", "env.A", "cannot expand", "double", id="empty braces"),
    pytest.param("A", "'{0}'", "env.A", "cannot expand", "double", id="a numbered field"),
    pytest.param("A", "'{username.x}'", "env.A", "cannot expand", "mean {username}", id="a dot"),
    pytest.param("A", "'{username:>9}'", "env.A", "cannot expand", "", id="a format"),
    pytest.param("A", "'{username!r}'", "env.A", "cannot expand", "", id="a conversion"),
    pytest.param(
        "NVIDIA_VISIBLE_DEVICES",
        "all",
        "env.NVIDIA_VISIBLE_DEVICES",
        "GPUs that it was not scheduled for",
        "void",
        id="GPUs past the device plugin",
    ),
]


@pytest.mark.parametrize(("text", "field", "message", "hint"), PROFILES)
def test_a_profile_is_refused(
    text: str,
    field: str,
    message: str,
    hint: str | None,
    refusal: Refusal,
) -> None:
    refusal("profiles", text, field, message, hint)


@pytest.mark.parametrize(("name", "value", "field", "message", "hint"), ENV)
def test_an_environment_variable_is_refused(
    *,
    name: str,
    value: str,
    field: str,
    message: str,
    hint: str | None,
    refusal: Refusal,
) -> None:
    refusal(
        "profiles",
        f"- slug: x\n  title: X\n  env:\n    {name}: {value}  # <-",
        f"profiles[1].{field}",
        message,
        hint,
    )
