#!/usr/bin/env python
"""Django's command line. In development without DATABASE_URL it starts the embedded PostgreSQL first."""

import os
import sys

from diagsite.server.embedded_postgres import EmbeddedDatabaseError, embedded_database

# Commands that run without a database.
COMMANDS_WITHOUT_DATABASE = {
    "help",
    "version",
    "--help",
    "-h",
    "--version",
    "check",
    "makemessages",
    "compilemessages",
    "collectstatic",
    "bundle_pages",
}


def is_database_configured() -> bool:
    """Whether no embedded database is needed: DATABASE_URL is set, or production, where settings require it."""
    return bool(os.environ.get("DATABASE_URL")) or os.environ.get("ENVIRONMENT", "development") != "development"


def main() -> None:
    """Run the command in `sys.argv`; report problems of the installation in one line, with exit code 1."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diagsite.settings")
    from django.core.exceptions import ImproperlyConfigured
    from environs import EnvError

    from monitoring.management.utility import execute_measured

    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    try:
        if command in COMMANDS_WITHOUT_DATABASE or is_database_configured():
            execute_measured(sys.argv)
        else:
            with embedded_database():
                execute_measured(sys.argv)
    except (EmbeddedDatabaseError, ImproperlyConfigured, EnvError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
