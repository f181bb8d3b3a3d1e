"""All checks by name, in the order in which they run: dependencies first."""

from diagsite.operations.preflight import external_services, installation, local_services
from diagsite.operations.preflight.results import CheckFunction

CHECKS: dict[str, CheckFunction] = {
    "python": installation.check_python,
    "packages": installation.check_packages,
    "settings": installation.check_settings,
    "tls": installation.check_tls,
    "static": installation.check_static_files,
    "timezone": installation.check_time_zone,
    "wechat": installation.check_wechat,
    "disk": local_services.check_disk,
    "database": local_services.check_database,
    "migrations": local_services.check_migrations,
    "seeds": local_services.check_seeds,
    "clock": local_services.check_clock,
    "cache": local_services.check_cache,
    "services": local_services.check_services,
    "keys": external_services.check_keys,
    "alerts": external_services.check_alerts,
}
LIVE_CHECKS: dict[str, CheckFunction] = {
    "platforms": external_services.check_platforms,
    "models": external_services.check_listed_models,
}
NOTIFY_CHECKS: dict[str, CheckFunction] = {"channels": external_services.check_channels}

DATABASE_CHECKS = ("migrations", "seeds", "clock", "services", "keys", "alerts", "platforms", "models", "channels")
CHECK_DEPENDENCIES = dict.fromkeys(DATABASE_CHECKS, "database")


def select_checks(*, live: bool, notify: bool, skipped: list[str]) -> dict[str, CheckFunction]:
    """Return the checks to run."""
    checks = CHECKS | (LIVE_CHECKS if live else {}) | (NOTIFY_CHECKS if notify else {})
    return {name: check for name, check in checks.items() if name not in skipped}
