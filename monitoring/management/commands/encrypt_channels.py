from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from errors.management.base import SiteCommand
from errors.terminal import gettext as _
from errors.terminal import gettext_lazy
from monitoring.delivery.channel_secrets import reencrypt_secrets
from monitoring.exceptions import SecretsDecryptionFailed
from monitoring.models import Channel


class Command(SiteCommand):
    help = gettext_lazy("更换密钥之后，用最新的密钥重新加密告警渠道的地址与密钥。不加 --apply 时不做改动。")
    examples = gettext_lazy("""\
示例：
  manage.py encrypt_channels           检查哪些渠道可以解密；不做改动
  manage.py encrypt_channels --apply   用最新的密钥重新加密全部渠道

更换 SECRET_KEY 或 ALERT_SECRETS_KEY，保留旧值（SECRET_KEY_FALLBACKS，或 ALERT_SECRETS_KEY=新,旧），
加上 --apply 运行本命令，再删除旧值。
""")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --apply."""
        parser.add_argument("--apply", action="store_true", help=_("重新加密"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Encrypt. Raises CommandError if channels cannot be decrypted, after all others are encrypted."""
        undecryptable, count = [], 0
        for channel in Channel.objects.exclude(secrets=""):
            try:
                secrets = reencrypt_secrets(channel.secrets)
            except SecretsDecryptionFailed:
                undecryptable.append(channel.name)
                continue
            count += 1
            if options["apply"]:
                # Conditional, so that secrets entered meanwhile are not overwritten.
                Channel.objects.filter(pk=channel.pk, secrets=channel.secrets).update(secrets=secrets)
        text = _("%(count)d 个渠道已重新加密") if options["apply"] else _("%(count)d 个渠道可以重新加密")
        self.stdout.write(text % {"count": count})
        if not options["apply"]:
            self.stdout.write(_("没有做任何改动；加上 --apply 才会加密"))
        if undecryptable:
            raise CommandError(
                _("没有密钥能解密这些渠道，请重新填写地址：%(names)s") % {"names": ", ".join(undecryptable)}
            )
