"""Billing runs: bill a whole month, and dry runs of that."""
