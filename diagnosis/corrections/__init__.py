"""Corrections of a finished diagnosis by its user."""
