"""What the cluster holds, what of it is taken, and how old that knowledge is.

`model`, `stream` and `wire` read the API server's JSON, `index` sums it up, and both are pure.
`watching`, `reflecting` and `transport` are the only code that speaks to the API server;
`freshness` and `backoff` hold their rules as pure functions. Nothing is imported here, so that
the pure half can be used without a Kubernetes client.
"""
