"""Diagnoses that are ordered again every week or month, within a budget."""
