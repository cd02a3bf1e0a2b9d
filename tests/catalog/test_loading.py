"""Files, the values they become, and the words of a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from gpuspawner.catalog import (
    Accelerator,
    Amounts,
    Catalog,
    CatalogError,
    Problem,
    Profile,
    load_catalog,
    read_catalog,
    read_written,
)
from gpuspawner.catalog.loading import MAX_BYTES
from gpuspawner.errors import GPUSpawnerError

SMALL = """
accelerators:
  slice: {title: Slice, resource: nvidia.com/mig-1g.5gb, sharing: mig, memory: 5Gi}
volumes:
  shm: {shared_memory: {size: 1Gi}}
profiles:
  - {slug: cpu, title: CPU, default: true, cpu: 0.5, memory: {limit: 2Gi}}
  - slug: gpu
    title: GPU
    accelerator: slice
    images: [{slug: a, title: A, image: a}, {slug: b, title: B, image: b, default: true}]
    volumes: [shm]
    env: {HOME: "/home/{username}"}
"""


def test_shorthands_and_defaults_are_filled_in() -> None:
    catalog = read_catalog(SMALL)
    cpu, gpu = catalog.profiles
    assert cpu.cpu == Amounts(guarantee="0.5", limit="0.5")
    assert cpu.memory == Amounts(limit="2Gi")
    assert (cpu.count, gpu.count) == (0, 1)
    assert (cpu.default_image, gpu.default_image) == (None, "b")
    assert catalog.volumes["shm"].mount_path == "/dev/shm"
    assert catalog.default_profile is cpu
    assert catalog.profile("gpu") is gpu
    assert catalog.profile("GPU") is None
    assert catalog.access == ()


def test_the_first_image_is_taken_where_none_is_the_default() -> None:
    images = [{"slug": "a", "title": "A", "image": "a"}, {"slug": "b", "title": "B", "image": "b"}]
    profile = Profile.model_validate({"slug": "x", "title": "X", "images": images})
    assert profile.default_image == "a"


def test_a_catalog_is_frozen() -> None:
    catalog = read_catalog(SMALL)
    with pytest.raises(ValidationError, match="frozen"):
        catalog.profiles[0].slug = "other"


def test_models_check_themselves_without_a_file() -> None:
    with pytest.raises(ValidationError, match="sharing: mig"):
        Accelerator(title="A", resource="nvidia.com/mig-1g.5gb")
    with pytest.raises(ValidationError, match="no profile is the default"):
        Catalog(profiles=(Profile(slug="a", title="A"),))


def test_a_file_is_loaded_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    plain, marked = tmp_path / "plain.yaml", tmp_path / "marked.yaml"
    plain.write_bytes(SMALL.encode())
    marked.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert load_catalog(plain) == load_catalog(marked) == read_catalog(SMALL)


def refused(path: Path) -> Problem:
    with pytest.raises(CatalogError) as caught:
        load_catalog(path)
    [problem] = caught.value.problems
    assert problem.file == str(path)
    return problem


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    problem = refused(tmp_path / "none.yaml")
    assert problem.line is None
    assert str(problem).endswith("none.yaml: cannot be read: No such file or directory")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path).message == "cannot be read: Is a directory"


def test_a_path_with_a_nul_is_refused() -> None:
    assert refused(Path("a\0b")).message.startswith("cannot be read: embedded null")


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_text("#" + "\N{LATIN SMALL LETTER E WITH ACUTE}" * (MAX_BYTES // 2), "utf-8")
    assert refused(large).message == "is larger than 1024 KiB"
    with pytest.raises(CatalogError, match="is larger than 1024 KiB"):
        read_catalog("#" * (MAX_BYTES + 1))


def test_bytes_that_are_not_utf8_are_refused_on_their_line(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("# a\n# café\n".encode("latin-1"))
    problem = refused(latin)
    assert (problem.line, problem.message) == (2, "the byte 0xe9 is not UTF-8")


def test_an_error_is_one_line_a_problem_in_the_order_of_the_file() -> None:
    text = "profiles:\n- {slug: a, title: A, default: true, acelerator: a10}\naces: []\n"
    with pytest.raises(CatalogError) as caught:
        read_catalog(text, "site.yaml")
    assert isinstance(caught.value, GPUSpawnerError)
    assert str(caught.value).split("\n") == [
        "site.yaml:2: profiles[0].acelerator: unknown field; did you mean 'accelerator'?",
        "site.yaml:3: aces: unknown field; did you mean 'access'?",
    ]


def test_a_problem_reads_as_place_field_words_and_hint() -> None:
    problem = Problem(
        "catalog.yaml",
        12,
        "profiles[2].accelerator",
        "no accelerator 'a10'",
        "did you mean 'a100'?",
    )
    assert str(problem) == (
        "catalog.yaml:12: profiles[2].accelerator: no accelerator 'a10'; did you mean 'a100'?"
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("profiles:\n- {slug: a, title: A, defualt: true}\n", (2, 32), id="a field"),
        pytest.param("profiles:\r\n- {slug: A B, title: A}\r\n", (2, 10), id="after CRLF"),
        pytest.param("a: b: c\n", (1, 5), id="what is not YAML"),
        pytest.param("- a\n", (1, 1), id="the whole"),
        pytest.param("a: 1\na: 2\nprofiles: []\n", (2, 1), id="a key that is written twice"),
    ],
)
def test_a_problem_has_a_column(text: str, place: tuple[int, int]) -> None:
    with pytest.raises(CatalogError) as caught:
        read_catalog(text)
    places = [(one.line, one.column) for one in caught.value.problems]
    assert place in places


def test_a_byte_that_is_not_utf_8_has_a_column(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("# é\n# caf".encode() + b"\xe9")
    assert (refused(file).line, refused(file).column) == (2, 6)


def test_a_valid_catalog_knows_where_its_parts_are() -> None:
    profile = "profiles:\n  - slug: a\n    title: A\n    default: true\n"
    text = f"{profile}access:\n  - users: ['*']\n    profiles: [a]\n"
    written = read_written(text)
    assert written.place(("access", 0)) == (6, 5)
    assert written.place(("access", 0, "profiles", 0)) == (7, 16)
    # What is left out is where it would be.
    assert written.place(("profiles", 0, "cpu")) == (2, 5)
