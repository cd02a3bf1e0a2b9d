"""What a person asked to start, read from whatever came in.

Options reach a spawner from the form, the API in the shapes of JupyterHub 5 and 6, a query link,
or the database. None of them was checked by anybody before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from reprlib import Repr
from typing import Any, Final

import regex

from gpuspawner.catalog import (
    UNLISTED,
    Catalog,
    Chosen,
    ImageChoice,
    OptionChoice,
    Profile,
    ProfileOption,
    UnlistedChoice,
)
from gpuspawner.errors import GPUSpawnerError
from gpuspawner.language import gettext as _

IMAGE_OPTION = "image"
_ENVELOPE = frozenset({"user_options", "display_name"})
_SHOWN_LENGTH = 80
_LONGEST_WRITTEN: Final = 512
"""Characters of what is written instead of choosing; image references are shorter."""
_LONGEST_MATCH = 0.02
"""Seconds. A pattern may take ages over a text that is made for that; the hub waits meanwhile."""
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
        options: what was chosen of its options; for the others the defaults count.
    """

    profile: Profile
    image: ImageChoice | None = None
    by_default: bool = False
    options: Chosen = field(default_factory=dict)


def _to_all(_profile: Profile) -> bool:
    return True


def read_selection(
    options: object, catalog: Catalog, is_open: Callable[[Profile], bool] = _to_all
) -> Selection:
    """The selection that `options` ask for; without a ``profile`` in them, the default profile.

    The body of JupyterHub 6's API is understood on 5 as well, where all of it is the options.

    Args:
        options: as they came.
        catalog: where profiles are looked up.
        is_open: whether somebody may have a profile. Of one that they may not have, no choices are
            read: words on these would tell them what it is.

    Raises:
        SelectionError: they are malformed, or name what the catalog does not have.
    """
    if options is None:
        options = {}
    if isinstance(options, Mapping) and "user_options" in options and options.keys() <= _ENVELOPE:
        options = options["user_options"] or {}
    if not isinstance(options, Mapping):
        raise SelectionError(_("The options of a server must be a JSON object."))
    slug = options.get("profile")
    by_default = slug is None or slug == ""
    profile = _default(catalog) if by_default else _profile(slug, catalog)
    if not is_open(profile):
        return Selection(profile, None, by_default)
    if profile.entry is not None:
        # What belongs to no option of its own is passed over, as KubeSpawner does.
        return Selection(profile, None, by_default, _chosen(options, profile))
    return Selection(profile, _image(options.get(IMAGE_OPTION), profile), by_default)


def of_form(options: Mapping[str, Any]) -> dict[str, Any]:
    """What a form means by its fields, of which a browser sends all.

    A text counts before a choice, as in KubeSpawner, whose form sends one of them; without
    JavaScript both are sent. So a text is left out unless the choice says that it counts.
    """
    suffix = f"--{UNLISTED}"
    return {
        name: value
        for name, value in options.items()
        if not name.endswith(suffix)
        or options.get(name.removesuffix(suffix)) in (None, "", UNLISTED)
    }


def as_options(selection: Selection) -> dict[str, str]:
    """The choices of a selection, as the options by which they are asked for."""
    options = {IMAGE_OPTION: selection.image.slug} if selection.image is not None else {}
    for name, choice in selection.options.items():
        if isinstance(choice, str):
            options |= {name: UNLISTED, f"{name}--{UNLISTED}": choice}
        else:
            options[name] = choice.slug
    return options


def _default(catalog: Catalog) -> Profile:
    profile = next((profile for profile in catalog.profiles if profile.default), None)
    if profile is None:
        words = _("No profile was asked for, and the default one is not open to this account.")
        raise SelectionError(words)
    return profile


def _profile(slug: object, catalog: Catalog) -> Profile:
    profile = catalog.profile(slug) if isinstance(slug, str) else None
    if profile is None:
        raise no_such_profile(slug)
    return profile


def no_such_profile(slug: object) -> SelectionError:
    """The same words whether a profile does not exist or is not open to the person."""
    words = _("The profile {profile} is not open to this account.")
    return SelectionError(words.format(profile=_shown(slug)))


def _image(slug: object, profile: Profile) -> ImageChoice | None:
    if slug is None or slug == "":
        return None
    for image in profile.images:
        if image.slug == slug:
            return image
    words = _("The profile {profile} has no image {image}.")
    raise SelectionError(words.format(profile=profile.title, image=_shown(slug)))


def _chosen(options: Mapping[Any, Any], profile: Profile) -> Chosen:
    """What is asked for of a profile's options; as in KubeSpawner, a text counts first."""
    chosen: dict[str, OptionChoice | str] = {}
    for option in profile.options:
        picked = options.get(option.name)
        written = options.get(f"{option.name}--{UNLISTED}")
        if written is not None and written != "":
            chosen[option.name] = _written(written, option, profile)
        elif picked is not None and picked != "":
            chosen[option.name] = _picked(picked, option, profile)
        elif option.default is None:
            raise _nothing_written(option, profile)
    return chosen


def _picked(slug: object, option: ProfileOption, profile: Profile) -> OptionChoice:
    for choice in option.choices:
        if choice.slug == slug:
            return choice
    if slug == UNLISTED and option.unlisted is not None:
        raise _nothing_written(option, profile)
    words = _("{profile} has no choice {choice} of {option}.")
    raise SelectionError(
        words.format(profile=profile.title, choice=_shown(slug), option=option.title)
    )


def _nothing_written(option: ProfileOption, profile: Profile) -> SelectionError:
    words = _("{profile} needs something to be written as {option}.")
    title = option.unlisted.title if option.unlisted is not None else option.title
    return SelectionError(words.format(profile=profile.title, option=title))


def _written(text: object, option: ProfileOption, profile: Profile) -> str:
    unlisted = option.unlisted
    if unlisted is None:
        words = _("{profile} takes nothing but the listed choices of {option}.")
        raise SelectionError(words.format(profile=profile.title, option=option.title))
    if not isinstance(text, str) or len(text) > _LONGEST_WRITTEN or not _is_plain(text):
        words = _(
            "{profile} takes as {option} a text of at most {most} characters, without braces and "
            "line breaks."
        )
        raise SelectionError(
            words.format(profile=profile.title, option=unlisted.title, most=_LONGEST_WRITTEN)
        )
    if unlisted.pattern and not _is_of_form(unlisted.pattern, text):
        raise _not_as_described(unlisted, profile)
    return text


def _not_as_described(unlisted: UnlistedChoice, profile: Profile) -> SelectionError:
    words = _("What was written as {option} of {profile} is not of the form that it takes.")
    message = f" {unlisted.message.rstrip('.')}." if unlisted.message else ""
    return SelectionError(words.format(option=unlisted.title, profile=profile.title) + message)


def _is_of_form(pattern: str, text: str) -> bool:
    """Whether the operator's pattern matches all of it; not, where that takes too long to tell."""
    try:
        return regex.fullmatch(pattern, text, timeout=_LONGEST_MATCH) is not None
    except (TimeoutError, regex.error):
        return False


def _is_plain(text: str) -> bool:
    """Whether it stays what it is: KubeSpawner gives some traits to ``str.format`` afterwards."""
    return text.isprintable() and "{" not in text and "}" not in text


def _shown(value: object) -> str:
    """A value that came from outside, short enough for a sentence however deep or wide it is."""
    text = _brief.repr(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."
