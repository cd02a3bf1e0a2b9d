"""What a person asked to start, read from whatever came in.

Options reach a spawner from the form, the API in the shapes of JupyterHub 5 and 6, a query link,
or the database. None of them was checked by anybody before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from reprlib import Repr

from gpuspawner.catalog import Catalog, ImageChoice, Profile
from gpuspawner.errors import GPUSpawnerError

IMAGE_OPTION = "image"
_ENVELOPE = frozenset({"user_options", "display_name"})
_SHOWN_LENGTH = 80
_brief = Repr()
_brief.maxstring = _brief.maxother = _SHOWN_LENGTH
_brief.maxlevel = 2


class SelectionError(GPUSpawnerError, ValueError):
    """The options name no profile or choice of the catalog; the text is for the person."""


@dataclass(frozen=True, slots=True)
class Selection:
    """One profile, and one of its images if a choice was made; else its default counts.

    Attributes:
        by_default: nobody asked for the profile; it is the catalog's default.
    """

    profile: Profile
    image: ImageChoice | None = None
    by_default: bool = False


def read_selection(options: object, catalog: Catalog) -> Selection:
    """The selection that `options` ask for; without a ``profile`` in them, the default profile.

    The body of JupyterHub 6's API is understood on 5 as well, where all of it is the options.

    Raises:
        SelectionError: they are malformed, or name what the catalog does not have.
    """
    if options is None:
        options = {}
    if isinstance(options, Mapping) and "user_options" in options and options.keys() <= _ENVELOPE:
        options = options["user_options"] or {}
    if not isinstance(options, Mapping):
        raise SelectionError("The options of a server must be a JSON object.")
    slug = options.get("profile")
    by_default = slug is None or slug == ""
    profile = catalog.default_profile if by_default else _profile(slug, catalog)
    return Selection(profile, _image(options.get(IMAGE_OPTION), profile), by_default)


def _profile(slug: object, catalog: Catalog) -> Profile:
    profile = catalog.profile(slug) if isinstance(slug, str) else None
    if profile is None:
        raise no_such_profile(slug)
    return profile


def no_such_profile(slug: object) -> SelectionError:
    """The same words whether a profile does not exist or is not open to the person."""
    return SelectionError(f"The profile {_shown(slug)} is not open to this account.")


def _image(slug: object, profile: Profile) -> ImageChoice | None:
    if slug is None or slug == "":
        return None
    for image in profile.images:
        if image.slug == slug:
            return image
    raise SelectionError(f"The profile {profile.title} has no image {_shown(slug)}.")


def _shown(value: object) -> str:
    """A value that came from outside, short enough for a sentence however deep or wide it is."""
    text = _brief.repr(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."
