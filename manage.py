#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it brings the embedded PostgreSQL up first."""

import gc
import os
import sys

# What is loaded stays: looking for garbage in it is a quarter of the start. `execute_measured` turns it on again.
gc.disable()

from diagsite.server.embedded_postgres import EmbeddedDatabaseError, embedded_database  # noqa: E402

# Commands that never open the database: they must not wait for one.
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
}


def is_database_configured() -> bool:
    """Whether the environment names a database, or is a production that must: settings say what is missing there."""
    return bool(os.environ.get("DATABASE_URL")) or os.environ.get("ENVIRONMENT", "development") != "development"


def main() -> None:
    """Run the command named in `sys.argv`; problems that a person can mend are told in one line, exit code 1."""
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
