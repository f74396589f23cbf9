"""How our own tables became what they are, by Alembic."""

NEWEST = "0008"
"""The newest revision. A database that is at it needs no Alembic, which takes long to import."""
