"""Workspaces: the diagnoses of one brand, with its members, names, questions and stored figures."""
