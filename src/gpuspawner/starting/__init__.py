"""The time between the form and the notebook: what is said of a start, and when it ends."""
