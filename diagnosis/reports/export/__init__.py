"""A report and its answers as files to take away: CSV, XLSX, JSON. docs/export.md tells what is in them."""
