"""The folder that the demo is made of."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import click
import pytest

from gpuspawner.cli.demo import _examples, _introduced, load_example

CAMPUS = "campus-a100"


def test_a_folder_is_found_from_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copytree(_examples() / CAMPUS, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert load_example("mine").catalog == tmp_path / "mine" / "catalog.yaml"
    monkeypatch.chdir(tmp_path / "mine")
    assert load_example(".").folder.name == "mine"


def test_what_a_folder_lacks_is_named(tmp_path: Path) -> None:
    copytree(_examples() / CAMPUS, tmp_path / "mine")
    (tmp_path / "mine" / "people.yaml").unlink()
    (tmp_path / "mine" / "cluster.yaml").unlink()
    with pytest.raises(click.ClickException, match=r"no cluster\.yaml and no people\.yaml"):
        load_example(str(tmp_path / "mine"))


def test_no_folder_is_no_example() -> None:
    with pytest.raises(click.ClickException, match=f"no example 'nowhere'; there are: {CAMPUS}"):
        load_example("nowhere")


def test_somebody_without_a_word_on_what_to_try_is_introduced_all_the_same() -> None:
    assert _introduced("eve", {}, 5) == "    eve    no group"
    assert _introduced("eve", {"groups": ["a"], "try": "x"}, 3) == "    eve  a: x"
