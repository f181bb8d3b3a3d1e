"""What calls cost, the ledger of paid calls, and budgets."""
