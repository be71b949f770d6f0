"""Dunning: reminders of overdue invoices, and suspension of their lines (docs/overdue.md).

This file imports nothing, because the settings import `billing.overdue.ladder` before the models are loaded.
"""
