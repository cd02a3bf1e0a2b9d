"""A simulated Kubernetes cluster inside one process, for demonstrations and tests."""
