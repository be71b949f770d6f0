"""Settling documents: payments and credit notes."""
