"""An operator that was made up: its lines, what customers and staff do, what the network reports, day by day.

The same seed gives the same operator on any database, and whatever happens to it, everything that
verification proves must hold.
"""
