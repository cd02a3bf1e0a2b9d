"""The folder that the demo is made of."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import click
import pytest
from traitlets.config import Config

from gpuspawner.cli.demo import _for_admins, _introduced
from gpuspawner.cli.examples import configure, example_names, examples_folder, load_example

CAMPUS = "campus-a100"


def test_a_folder_is_found_from_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copytree(examples_folder() / CAMPUS, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert load_example("mine").catalog == tmp_path / "mine" / "catalog.yaml"
    monkeypatch.chdir(tmp_path / "mine")
    assert load_example(".").folder.name == "mine"


def test_what_a_folder_lacks_is_named(tmp_path: Path) -> None:
    copytree(examples_folder() / CAMPUS, tmp_path / "mine")
    (tmp_path / "mine" / "people.yaml").unlink()
    (tmp_path / "mine" / "cluster.yaml").unlink()
    with pytest.raises(click.ClickException, match=r"no cluster\.yaml and no people\.yaml"):
        load_example(str(tmp_path / "mine"))


def test_no_folder_is_no_example() -> None:
    names = ", ".join(example_names())
    with pytest.raises(click.ClickException, match=f"^no example 'nowhere'; there are: {names}$"):
        load_example("nowhere")


@pytest.mark.parametrize("name", example_names())
def test_each_example_has_all_its_parts(name: str) -> None:
    example = load_example(name)
    assert example.people
    assert all("try" in person for person in example.people.values())
    readme = (example.folder / "README.md").read_text()
    assert f"gpuspawner demo --example {name}" in readme
    assert f"helm-values/{name}.yaml" in readme


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        pytest.param("hub.yaml", "- a\n", "below a name, as in\n    KubeSpawner:", id="a list"),
        pytest.param("hub.yaml", "uid: 1\n", "below a name", id="a trait without its class"),
        pytest.param("hub.yaml", "a: [", "cannot be read as YAML", id="no YAML"),
        pytest.param(
            "people.yaml", "[ada]", "below a name, as in\n    ada:", id="a list of people"
        ),
        pytest.param("cluster.yaml", "name: x", "node_pools: Field required", id="no cluster"),
        pytest.param("catalog.yaml", "x: 1", "unknown", id="no catalog"),
    ],
)
def test_a_part_that_is_wrong_is_named_with_the_remedy(
    tmp_path: Path, file: str, text: str, words: str
) -> None:
    copytree(examples_folder() / CAMPUS, tmp_path / "mine")
    (tmp_path / "mine" / file).write_text(text)
    with pytest.raises(click.ClickException) as caught:
        load_example(str(tmp_path / "mine"))
    assert words in caught.value.message
    assert file in caught.value.message


def test_a_hubs_settings_change_one_trait_and_leave_the_rest() -> None:
    c = Config()
    c.KubeSpawner.start_timeout = 120
    entries = [{"display_name": "from before"}]
    hub = {
        "KubeSpawner": {"storage_class": "nas", "profile_list": entries},
        "Other": {"a": {"B": 1}},
    }
    configure(c, hub, examples_folder() / CAMPUS / "catalog.yaml")
    assert c.KubeSpawner.start_timeout == 120
    assert c.KubeSpawner.storage_class == "nas"
    assert c.KubeSpawner.pvc_name_template == "home-{username}"
    assert c.KubeSpawner.profile_list == entries
    assert c.Other.a == {"B": 1}


def test_somebody_without_a_word_on_what_to_try_is_introduced_all_the_same() -> None:
    assert _introduced("eve", {}, 5) == "    eve    no group"
    assert _introduced("eve", {"groups": ["a"], "try": "x"}, 3) == "    eve  a: x"


def test_who_may_change_the_access_is_told_where() -> None:
    [where, _] = _for_admins(load_example("campus-a100"), "http://127.0.0.1:8000/")
    assert where.endswith("as root-admin: http://127.0.0.1:8000/hub/gpuspawner/admin")
