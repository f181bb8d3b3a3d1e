"""Diagnoses that are repeated every day, week or month, within a budget."""
