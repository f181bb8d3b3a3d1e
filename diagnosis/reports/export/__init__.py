"""Export of a report and its answers as CSV, XLSX and JSON files, described in docs/reference/export.md."""
