"""Simulated operator: its lines, the steps of customers and staff, and the network's reports, day by day.

The same seed gives the same operator on any database. Whatever happens to it, verification must find no
fault."""
