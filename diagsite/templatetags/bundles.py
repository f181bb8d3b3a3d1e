"""`{% bundled %}`: the scripts and styles between it and `{% endbundled %}`, or the page's bundle of them."""

import re

from django import template
from django.template.base import NodeList, Parser, Token
from django.template.context import Context
from django.templatetags.static import static

from diagsite.web.bundles import get_page_name, has_bundle

register = template.Library()

STYLES_PATTERN = re.compile(r"""(<link rel="stylesheet" href="[^"]+">\s*)+""")
SCRIPTS_PATTERN = re.compile(r"""(<script [^>]*\bsrc="[^"]+\.js"[^>]*></script>\s*)+""")


class BundledNode(template.Node):
    """Renders its content, with the page's bundle in place of the files if there is one."""

    def __init__(self, nodelist: NodeList) -> None:
        self.nodelist = nodelist

    def render(self, context: Context) -> str:
        """Return HTML."""
        html = self.nodelist.render(context)
        name = context.template.name if context.template else None
        if not name or not has_bundle(name):
            return html
        page = get_page_name(name)
        style, script = static(f"bundles/{page}.css"), static(f"bundles/{page}.js")
        styled = STYLES_PATTERN.sub(f'<link rel="stylesheet" href="{style}">\n', html, count=1)
        return SCRIPTS_PATTERN.sub(f'<script type="module" src="{script}"></script>\n', styled, count=1)


@register.tag
def bundled(parser: Parser, token: Token) -> BundledNode:
    """Parse `{% bundled %}` ... `{% endbundled %}`."""
    nodelist = parser.parse(("endbundled",))
    parser.delete_first_token()
    return BundledNode(nodelist)
