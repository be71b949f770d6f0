"""What becomes of invoices that are not paid in time: reminders, and the line's suspension (docs/overdue.md).

Nothing is imported here: the settings read `parse_ladder`, before there are models.
"""
