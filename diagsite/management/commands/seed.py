from typing import Any

from django.utils.translation import gettext_noop

from diagnosis.platforms.seed import seed_platforms
from diagsite.roles import seed_roles
from errors.catalogue.publishing import seed_error_messages
from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy
from monitoring.rules.defaults import seed_rules

_OUTCOMES = {
    "added": gettext_noop("新增"),
    "updated": gettext_noop("更新"),
    "upstream_changed": gettext_noop("有新的默认文案，保留了修改过的"),
    "kept": gettext_noop("修改过，保留"),
    "deleted": gettext_noop("删除过，不再添加"),
}


class Command(SiteCommand):
    """Add the rows that every installation needs."""

    help = gettext_lazy("""\
添加缺少的平台、错误文案、告警规则和角色。
运营人员的修改会保留，删除的规则和角色不会再添加。""")

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed, and print what was added."""
        added = seed_platforms()
        counts = seed_error_messages()
        rules = seed_rules()
        roles = seed_roles()
        if not options["verbosity"]:
            return
        self.stdout.write(_("平台：新增 %(count)d") % {"count": added})
        for name, seeded in ((_("错误文案"), counts), (_("告警规则"), rules), (_("后台角色"), roles)):
            outcomes = ", ".join(f"{count} {_(_OUTCOMES[outcome])}" for outcome, count in seeded.items())
            self.stdout.write(f"{name}: {outcomes}")
