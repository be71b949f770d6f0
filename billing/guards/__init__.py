"""Database triggers that refuse changes to documents and to other final records."""

from billing.guards.triggers import create_guards, drop_guards, missing_guards

__all__ = ["create_guards", "drop_guards", "missing_guards"]
