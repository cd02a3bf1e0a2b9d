"""Binds pods to nodes, or says why it cannot."""
