"""Shared parts of the back-office: admin classes, forms, previews."""
