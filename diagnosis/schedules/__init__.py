"""Diagnoses that are repeated every week or month, within a budget."""
