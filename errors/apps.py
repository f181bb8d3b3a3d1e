from django.apps import AppConfig


class ErrorsConfig(AppConfig):
    name = "errors"
    verbose_name = "错误提示"

    def ready(self) -> None:
        from errors import readonly_links, third_party

        third_party.register_third_party_exceptions()
        readonly_links.restrict_readonly_links()
