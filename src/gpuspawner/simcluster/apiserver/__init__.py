"""The store over HTTP, with access rules and faults to order."""
