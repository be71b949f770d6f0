"""Billing a whole period: runs, what is set aside on the way, and the rehearsal of it all."""
