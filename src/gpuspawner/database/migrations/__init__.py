"""Alembic's, one file in `versions` for each released form of the tables."""
