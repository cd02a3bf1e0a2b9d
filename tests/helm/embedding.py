"""The catalog of each example, and its images, in the values of its cluster.

Helm's values cannot include a file. ``python -m tests.helm.embedding`` writes what stands between
the marks of each overlay anew; a test holds the two to the same data.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import yaml
from tests.helm.chart import CLUSTERS, HELM_VALUES, ROOT

from gpuspawner.catalog import Catalog, Profile, load_catalog

_MARKED = re.compile(
    r"^(?P<indent> *)# (?P<what>catalog|image|images) of examples/(?P<name>[a-z0-9-]+)\b.*\n"
    r"(?P<body>(?:.*\n)*?)(?P<end> *# end of (?P=what)\n)",
    re.MULTILINE,
)


def example_of(cluster: str) -> Path:
    """The catalog that an overlay embeds."""
    return ROOT / "examples" / cluster / "catalog.yaml"


def images_of(catalog: Catalog) -> tuple[str, ...]:
    """Each image that a profile can start with, the default profile's first."""
    first = [profile for profile in catalog.profiles if profile.default]
    profiles = [*first, *catalog.profiles]
    given = (image for profile in profiles for image in _of_profile(profile))
    return tuple(dict.fromkeys(given))


def _of_profile(profile: Profile) -> list[str]:
    chosen = [choice.image for choice in profile.images]
    default = profile.default_image
    return [image for image in (default, *chosen) if image]


def as_value(image: str) -> dict[str, str]:
    """An image as the chart's values write it."""
    name, _, tag = image.rpartition(":")
    return {"name": name, "tag": tag}


def embed(overlay: str) -> str:
    """The text of an overlay with its marked parts written anew."""

    def anew(found: re.Match[str]) -> str:
        body = _BODIES[found["what"]](example_of(found["name"]))
        start = found[0].partition("\n")[0]
        return f"{start}\n{textwrap.indent(body, found['indent'])}{found['end']}"

    return _MARKED.sub(anew, overlay)


def _catalog(path: Path) -> str:
    # The first line is for editors, and names a path that is not there.
    lines = [
        line for line in path.read_text().splitlines(True) if "yaml-language-server" not in line
    ]
    text = "".join(lines).removeprefix("#\n")
    return "stringData: |\n" + textwrap.indent(text, "  ")


def _image(path: Path) -> str:
    return _yaml(as_value(images_of(load_catalog(path))[0]))


def _images(path: Path) -> str:
    others = images_of(load_catalog(path))[1:]
    return _yaml({f"image-{number}": as_value(image) for number, image in enumerate(others, 1)})


def _yaml(value: Any) -> str:
    return str(yaml.safe_dump(value, sort_keys=False))


_BODIES = {"catalog": _catalog, "image": _image, "images": _images}

if __name__ == "__main__":
    for each in CLUSTERS:
        file = HELM_VALUES / f"{each}.yaml"
        file.write_text(embed(file.read_text()))
