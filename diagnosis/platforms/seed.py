"""Platforms of a new installation. Existing rows are never changed: operators edit them."""

import os
from typing import Any, NamedTuple

from django.conf import settings

from diagnosis.choices import PlatformSurface, Thinking, WireProtocol
from diagnosis.models import Platform

_ARK = "https://ark.cn-beijing.volces.com/api/v3"
_DASHSCOPE = "https://dashscope.aliyuncs.com"
_MOONSHOT = "https://api.moonshot.cn/v1"
_ZHIPU = "https://open.bigmodel.cn/api/paas/v4"
_TOKENHUB = "https://tokenhub.tencentmaas.com/v1"
_QIANFAN = "https://qianfan.baidubce.com/v2"
_OPENAI = "https://api.openai.com/v1"
_GOOGLE = "https://generativelanguage.googleapis.com/v1beta"
_ANTHROPIC = "https://api.anthropic.com/v1"
_PERPLEXITY = "https://api.perplexity.ai/v1"
# Their models have no filing in China, so a mini-program may not offer them.
_FOREIGN = (_OPENAI, _GOOGLE, _ANTHROPIC, _PERPLEXITY)

S, T, W = PlatformSurface, Thinking, WireProtocol


class SeededPlatform(NamedTuple):
    """A row of a new installation. typical_seconds: until its own calls are known."""

    pk: str
    name: str
    base_url: str
    model: str
    key_variable: str
    protocol: WireProtocol = W.CHAT
    surface: PlatformSurface = S.MEMORY
    thinking: Thinking = T.DEFAULT
    country: str = ""
    typical_seconds: int = 10

    def build_defaults(self, position: int) -> dict[str, Any]:
        """Return the columns of the row but its id."""
        columns = self._asdict()
        del columns["pk"]
        is_foreign = self.base_url.startswith(_FOREIGN)
        return columns | {"position": position, "is_offered_in_miniprogram": not is_foreign}


def _search(
    pk: str, name: str, base_url: str, model: str, key_variable: str, protocol: WireProtocol, **columns: Any
) -> SeededPlatform:
    settings_of_search: dict[str, Any] = {"surface": S.SEARCH, "thinking": T.OFF, "typical_seconds": 30} | columns
    return SeededPlatform(pk, name, base_url, model, key_variable, protocol, **settings_of_search)


# The same vendor as memory and, where its API can, as search: two measurements, never pooled.
REAL_PLATFORMS = [
    SeededPlatform("doubao", "豆包", _ARK, "doubao-seed-2-0-pro-260215", "ARK_API_KEY"),
    _search("doubao-search", "豆包（联网）", _ARK, "doubao-seed-2-1-pro-260915", "ARK_API_KEY", W.ARK),
    _search(
        "doubao-app",
        "豆包（应用内搜索）",
        _ARK,
        "doubao-seed-2-1-pro-260915",
        "ARK_API_KEY",
        W.ARK,
        surface=S.APP,
        thinking=T.DEFAULT,
    ),
    SeededPlatform("deepseek", "DeepSeek", "https://api.deepseek.com", "deepseek-flash", "DEEPSEEK_API_KEY"),
    _search(
        "deepseek-search",
        "DeepSeek（联网）",
        "https://api.deepseek.com/anthropic/v1",
        "deepseek-flash",
        "DEEPSEEK_API_KEY",
        W.DEEPSEEK,
    ),
    SeededPlatform("qwen", "通义千问", f"{_DASHSCOPE}/compatible-mode/v1", "qwen-plus", "DASHSCOPE_API_KEY"),
    _search("qwen-search", "通义千问（联网）", f"{_DASHSCOPE}/api/v1", "qwen-plus", "DASHSCOPE_API_KEY", W.DASHSCOPE),
    SeededPlatform("kimi", "Kimi", _MOONSHOT, "kimi-k2.6", "MOONSHOT_API_KEY"),
    _search("kimi-search", "Kimi（联网）", _MOONSHOT, "kimi-k2.6", "MOONSHOT_API_KEY", W.KIMI),
    SeededPlatform("glm", "智谱清言", _ZHIPU, "glm-5.3", "ZHIPU_API_KEY"),
    _search("glm-search", "智谱清言（联网）", _ZHIPU, "glm-5.3", "ZHIPU_API_KEY", W.ZHIPU),
    SeededPlatform("hunyuan", "腾讯混元", _TOKENHUB, "hy3-preview", "HUNYUAN_API_KEY"),
    _search("hunyuan-search", "腾讯混元（联网）", _TOKENHUB, "hy3", "HUNYUAN_API_KEY", W.TOKENHUB),
    SeededPlatform("ernie", "文心一言", _QIANFAN, "ernie-5.1", "QIANFAN_API_KEY"),
    _search(
        "ernie-search", "文心一言（联网）", _QIANFAN, "ernie-5.1", "QIANFAN_API_KEY", W.QIANFAN, thinking=T.DEFAULT
    ),
    SeededPlatform("openai", "ChatGPT", _OPENAI, "gpt-6-luna", "OPENAI_API_KEY"),
    _search(
        "openai-search",
        "ChatGPT（联网）",
        _OPENAI,
        "gpt-6-astra",
        "OPENAI_API_KEY",
        W.RESPONSES,
        thinking=T.LOW,
        country="CN",
    ),
    SeededPlatform("gemini", "Gemini", f"{_GOOGLE}/openai/", "gemini-3.5-flash", "GEMINI_API_KEY"),
    _search(
        "gemini-search", "Gemini（联网）", _GOOGLE, "gemini-3.8-flash", "GEMINI_API_KEY", W.GEMINI, thinking=T.DEFAULT
    ),
    SeededPlatform("claude", "Claude", _ANTHROPIC, "claude-sonnet-5-5", "ANTHROPIC_API_KEY", W.MESSAGES),
    _search("claude-search", "Claude（联网）", _ANTHROPIC, "claude-sonnet-5-5", "ANTHROPIC_API_KEY", W.MESSAGES),
    SeededPlatform("perplexity", "Perplexity", _PERPLEXITY, "perplexity/sonar", "PERPLEXITY_API_KEY", W.PERPLEXITY),
    _search(
        "perplexity-search",
        "Perplexity（联网）",
        _PERPLEXITY,
        "perplexity/sonar",
        "PERPLEXITY_API_KEY",
        W.PERPLEXITY,
        thinking=T.DEFAULT,
    ),
]

# model, name, typical seconds
DEMO_PLATFORMS = [
    ("demo-fast", "演示·快速", 1),
    ("demo-slow", "演示·慢速", 6),
    ("demo-flaky", "演示·不稳定", 2),
    ("demo-quota", "演示·配额用尽", 1),
    ("demo-down", "演示·故障", 1),
]


def _demo_search(pk: str, name: str, protocol: WireProtocol, **columns: Any) -> SeededPlatform:
    return _search(
        pk, f"演示·{name}", "", pk, "", protocol, **({"thinking": T.DEFAULT, "typical_seconds": 2} | columns)
    )


# One for each way to search; their model is their id.
DEMO_SEARCH_PLATFORMS = [
    _demo_search("demo-doubao-search", "豆包式联网", W.ARK),
    _demo_search("demo-doubao-app", "豆包式应用内搜索", W.ARK, surface=S.APP),
    _demo_search("demo-deepseek-search", "DeepSeek 式联网", W.DEEPSEEK),
    _demo_search("demo-qwen-search", "通义式联网", W.DASHSCOPE),
    _demo_search("demo-kimi-search", "Kimi 式联网", W.KIMI),
    _demo_search("demo-glm-search", "智谱式联网", W.ZHIPU, thinking=T.ON),
    _demo_search("demo-hunyuan-search", "混元式联网", W.TOKENHUB),
    _demo_search("demo-ernie-search", "文心式联网", W.QIANFAN),
    _demo_search("demo-openai-search", "ChatGPT 式联网", W.RESPONSES, thinking=T.LOW),
    _demo_search("demo-gemini-search", "Gemini 式联网", W.GEMINI),
    _demo_search("demo-claude-search", "Claude 式联网", W.MESSAGES, thinking=T.ON),
    _demo_search("demo-perplexity-search", "Perplexity 式联网", W.PERPLEXITY),
]


def seed_platforms() -> int:
    """Add missing platforms; returns how many. A real platform is added once its key is set."""
    added = 0
    for position, seeded in enumerate(REAL_PLATFORMS, 1):
        if os.environ.get(seeded.key_variable):
            added += Platform.objects.get_or_create(pk=seeded.pk, defaults=seeded.build_defaults(position))[1]
    demo_columns = {"is_demo": True, "requests_per_minute": 600, "concurrency": 8, "is_enabled": settings.DEMO}
    for position, (model, name, seconds) in enumerate(DEMO_PLATFORMS, 101):
        defaults = {"name": name, "model": model, "typical_seconds": seconds, "position": position} | demo_columns
        added += Platform.objects.get_or_create(pk=model, defaults=defaults)[1]
    for position, seeded in enumerate(DEMO_SEARCH_PLATFORMS, 201):
        defaults = seeded.build_defaults(position) | demo_columns
        added += Platform.objects.get_or_create(pk=seeded.pk, defaults=defaults)[1]
    # Without DEMO the demo endpoint is not served, so its platforms cannot be called.
    Platform.objects.filter(is_demo=True).update(is_enabled=settings.DEMO)
    return added
