"""A start that the end of a hub cut off, and that the next hub goes on with.

A hub that ends while a pod waits for its place leaves a server in its database that has no
address, and the pod. The next hub of JupyterHub takes the server for one that runs, waits
``http_timeout`` for an answer from nowhere, and deletes the pod. Here the start goes on where it
was: the pod keeps its uid and so its turn, the person sees the page of a start under way and may
cancel it, and a start that fails says why.

What JupyterHub 5.5 and 6.1 do, and this leans on:

- ``JupyterHub.init_spawners`` asks `poll` of every spawner whose ``orm_spawner.server`` is there,
  while ``_check_pending`` is set; for one that does not run, it calls ``User.stop`` only if
  ``server`` is still there afterwards. It offers no hook for a start that is under way;
- ``User.spawn`` gives ``orm_spawner.server`` an ``ip`` when `start` has returned, and not before,
  and sets ``orm_spawner.started`` just before `start`;
- ``_spawn_pending``, ``_spawn_future``, ``_proxy_pending`` and ``_waiting_for_response`` are what
  its pages and its API go by, ``User._wait_up``, ``User.stop``, ``Proxy.add_user`` and
  ``Proxy.delete_user`` what completes or ends a start; ``_start_future`` of the application is
  done when the proxy takes routes.

Of KubeSpawner 7.0 and 7.1: ``_make_create_pod_request``, ``_start``, ``is_pod_running``,
``_get_pod_url``, ``_start_watching_pods``, ``_start_watching_events``, ``pod_reflector``,
``_last_event``.
"""

from __future__ import annotations

from gpuspawner.resuming.kubespawner import ResumingKubeSpawner

__all__ = ["ResumingKubeSpawner"]
