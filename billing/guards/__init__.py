"""What keeps documents as they are in the database itself."""

from billing.guards.triggers import lift, missing, put_up

__all__ = ["lift", "missing", "put_up"]
