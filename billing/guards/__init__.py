"""What keeps documents as they are in the database itself."""

from billing.guards.triggers import create_guards, drop_guards, missing_guards

__all__ = ["create_guards", "drop_guards", "missing_guards"]
