"""Repair of old records: the defects, their fixes, and the journal that allows undoing them."""
