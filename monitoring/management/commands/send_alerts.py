import asyncio
from argparse import ArgumentParser
from typing import Any

from django.db.models import Count

from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy
from monitoring.delivery.outbox import run_alert_sender_loop, send_due_deliveries
from monitoring.models import Delivery


class Command(SiteCommand):
    help = gettext_lazy("发送到期的告警消息，一次或持续发送。不加 --apply 或 --keep 时不发送。")
    examples = gettext_lazy("""\
示例：
  manage.py send_alerts           按渠道打印等待发送的消息数；不发送
  manage.py send_alerts --apply   发送已到期的消息
  manage.py send_alerts --keep    持续发送，直到停止；可以与网站进程自带的发送并行，或代替它

每个网站进程都会自行发送；本命令用于查看，或单独运行发送进程。可以同时运行任意多个。
""")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the modes."""
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--apply", action="store_true", help=_("发送已到期的消息"))
        mode.add_argument("--keep", action="store_true", help=_("持续发送，直到停止"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Send, or print what is waiting."""
        waiting = Delivery.objects.waiting()
        if options["apply"]:
            tried = send_due_deliveries()
            text = _("尝试发送 %(tried)d 条消息，仍有 %(waiting)d 条等待")
            self.stdout.write(text % {"tried": tried, "waiting": waiting.count()})
            return
        if options["keep"]:
            try:
                asyncio.run(run_alert_sender_loop())
            except KeyboardInterrupt:
                self.stdout.write(_("已停止"))
            return
        counts = list(waiting.values("channel__name").annotate(count=Count("pk")).order_by("channel__name"))
        for row in counts:
            text = _("%(channel)s：%(count)d 条等待")
            self.stdout.write(text % {"channel": row["channel__name"], "count": row["count"]})
        self.stdout.write(_("没有发送；加上 --apply 才会发送") if counts else _("没有等待发送的消息"))
