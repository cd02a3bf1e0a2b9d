"""Runs what is bound to a node, as local processes."""
