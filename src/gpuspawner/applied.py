"""The settings of KubeSpawner that a profile changes for one start, and that are put back."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from inspect import isawaitable
from typing import Any

from kubespawner import KubeSpawner

from gpuspawner.catalog import Catalog
from gpuspawner.kubespawner_config import plain
from gpuspawner.pod import HAS_HOOKS, HOME_CLAIM, HUB_LABELS, SettingError, base_names


class AppliedSettings:
    """What a profile has changed on a spawner, over what is configured.

    Args:
        spawner: the one whose traits are changed.
    """

    def __init__(self, spawner: KubeSpawner) -> None:
        self._spawner = spawner
        self._configured: dict[str, Any] = {}

    def base(self, catalog: Catalog) -> dict[str, Any]:
        """The configured values of the traits a plan needs, whatever profile is applied."""
        spawner = self._spawner
        serialize = spawner.api.api_client.sanitize_for_serialization
        base = {
            name: plain(self._configured.get(name, getattr(spawner, name)), serialize)
            for name in base_names(catalog)
        }
        has_hooks = spawner.pre_spawn_hook is not None or spawner.modify_pod_hook is not None
        base[HAS_HOOKS] = has_hooks
        base[HUB_LABELS] = spawner._build_pod_labels({})
        if spawner.storage_pvc_ensure:
            base[HOME_CLAIM] = serialize(spawner.get_pvc_manifest())
        return base

    def expand(self, value: Any) -> Any:
        """A value with ``{username}`` and the like replaced, as KubeSpawner does.

        Raises:
            SettingError: it cannot be expanded.
        """
        try:
            return self._spawner._expand_all(value)
        except (AttributeError, LookupError, ValueError) as error:
            raise SettingError(f"{value!r} cannot be expanded: {error!r}") from error

    def resolve(self, value: Any) -> Any:
        """The value that an override gives a setting: what a function in it gives.

        Raises:
            SettingError: that would have to be awaited, which KubeSpawner does not do.
        """
        if callable(value):
            value = value(self._spawner)
            if isinstance(value, Coroutine):
                value.close()
            if isawaitable(value):
                raise SettingError("a function in an override must not be async")
        return plain(value, self._spawner.api.api_client.sanitize_for_serialization)

    def apply(self, settings: Mapping[str, Any]) -> None:
        """Change settings until `restore`; all or none.

        Raises:
            TraitError: a trait does not take its value.
        """
        try:
            for name, value in settings.items():
                self._configured[name] = getattr(self._spawner, name)
                setattr(self._spawner, name, value)
        except BaseException:
            self.restore()
            raise

    def restore(self) -> None:
        """Put back every setting that was changed, so that none reaches the next server."""
        while self._configured:
            name, value = self._configured.popitem()
            setattr(self._spawner, name, value)
