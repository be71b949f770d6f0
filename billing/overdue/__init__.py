"""Dunning: reminders of overdue invoices, and suspension of their lines (docs/overdue.md).

This module imports nothing: the settings import `parse_ladder` before models are loaded.
"""
