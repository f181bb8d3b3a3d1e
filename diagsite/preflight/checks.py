"""Every check by its name, in the order in which they are run: what others need comes first."""

from diagsite.preflight import installation, outside, services
from diagsite.preflight.results import Check

CHECKS: dict[str, Check] = {
    "python": installation.check_python,
    "packages": installation.check_packages,
    "settings": installation.check_settings,
    "tls": installation.check_tls,
    "static": installation.check_static_files,
    "timezone": installation.check_time_zone,
    "wechat": installation.check_wechat,
    "disk": services.check_disk,
    "database": services.check_database,
    "migrations": services.check_migrations,
    "seeds": services.check_seeds,
    "clock": services.check_clock,
    "cache": services.check_cache,
    "services": services.check_services,
    "keys": outside.check_keys,
    "alerts": outside.check_alerts,
}
LIVE: dict[str, Check] = {"platforms": outside.check_platforms}
NOTIFY: dict[str, Check] = {"channels": outside.check_channels}

OF_THE_DATABASE = ("migrations", "seeds", "clock", "services", "keys", "alerts", "platforms", "channels")
NEEDS = dict.fromkeys(OF_THE_DATABASE, "database")


def chosen_checks(*, live: bool, notify: bool, skipped: list[str]) -> dict[str, Check]:
    """Those to run now."""
    checks = CHECKS | (LIVE if live else {}) | (NOTIFY if notify else {})
    return {name: check for name, check in checks.items() if name not in skipped}
