"""A report and its answers as files to take away: CSV, XLSX, JSON. docs/reference/export.md tells what is in them."""
