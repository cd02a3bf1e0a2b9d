"""What was probably meant by a word that nothing is called by."""

from __future__ import annotations

import pytest

from gpuspawner.catalog.problems import near_miss


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        pytest.param("gpuu", "gpu", "gpu", id="a letter too many"),
        pytest.param("hcp", "hpc", "hpc", id="two letters the other way round"),
        pytest.param("stuff", "staff", "staff", id="another letter"),
        pytest.param("v10", "v100", "v100", id="a digit too few"),
        pytest.param("a100-spott", "a100-spot", "a100-spot", id="a slip in one part of it"),
        pytest.param("mig-1g.6gb", "mig-1g.5gb", "mig-1g.5gb", id="another size"),
        pytest.param("h100", "v100", None, id="another model"),
        pytest.param("gpu-h100", "gpu-a100", None, id="another model in a part of it"),
        pytest.param("h100", "v100 h100x", "h100x", id="what is less alike, but no other model"),
        pytest.param("cpu", "gpu", None, id="another short word"),
    ],
)
def test_what_was_meant(word: str, known: str, meant: str | None) -> None:
    assert near_miss(word, known.split()) == meant
