"""KubeSpawner through an outage of the API server: the hub stays up, and no server is forgotten.

KubeSpawner's reflector stops for good after about a minute of failures (and then ends the hub, if
user namespaces are enabled), lists again without a pause when only its watch is refused, and one
whose first list failed stays in place without any pod, which `poll` takes for "all have stopped".
Here a reflector never gives up, keeps what it knew until it knows better, and what it never knew
is not taken for an absence.

Names of KubeSpawner 7.0 and 7.1 that this leans on:

- `ResourceReflector`: ``_list_and_update``, ``_watch_and_update``, ``_stopping``, ``start``,
  ``first_load_future``, ``watch_task``, ``resources``, ``api``, ``list_method_name``,
  ``omit_namespace``, ``namespace``, ``label_selector``, ``field_selector``, ``request_timeout``;
- `KubeSpawner`: ``_start_reflector``, ``_get_reflector_key``, ``reflectors``, ``pod_reflector``,
  ``_make_delete_pod_request``, ``poll``, ``k8s_api_request_timeout``.

Of JupyterHub's spawner: ``_stop_pending`` and ``_spawn_future``; of its application the name of
``shutdown_cancel_tasks``, since nothing else tells that the hub is ending.
"""

from __future__ import annotations

from gpuspawner.outages.failures import ClusterUnreachableError, is_unreachable
from gpuspawner.outages.kubespawner import LastingKubeSpawner
from gpuspawner.outages.reflector import LastingReflector, lasting

__all__ = [
    "ClusterUnreachableError",
    "LastingKubeSpawner",
    "LastingReflector",
    "is_unreachable",
    "lasting",
]
