"""Platforms of a new installation. Existing rows are never changed: operators edit them."""

import os

from django.conf import settings

from diagnosis.models import Platform

_DOUBAO_BASE_URL = "https://ark.cn-beijing.volces.com/api/v3"
_QWEN_BASE_URL = "https://dashscope.aliyuncs.com/compatible-mode/v1"
_GEMINI_BASE_URL = "https://generativelanguage.googleapis.com/v1beta/openai/"

# id, name, base URL, model, key's environment variable
REAL_PLATFORMS = [
    ("doubao", "豆包", _DOUBAO_BASE_URL, "doubao-seed-2-0-pro-260215", "ARK_API_KEY"),
    ("deepseek", "DeepSeek", "https://api.deepseek.com", "deepseek-flash", "DEEPSEEK_API_KEY"),
    ("qwen", "通义千问", _QWEN_BASE_URL, "qwen-plus", "DASHSCOPE_API_KEY"),
    ("kimi", "Kimi", "https://api.moonshot.cn/v1", "kimi-k2.6", "MOONSHOT_API_KEY"),
    ("glm", "智谱清言", "https://open.bigmodel.cn/api/paas/v4", "glm-5.3", "ZHIPU_API_KEY"),
    ("hunyuan", "腾讯混元", "https://tokenhub.tencentmaas.com/v1", "hy3-preview", "HUNYUAN_API_KEY"),
    ("ernie", "文心一言", "https://qianfan.baidubce.com/v2", "ernie-5.1", "QIANFAN_API_KEY"),
    ("openai", "ChatGPT", "https://api.openai.com/v1", "gpt-6-luna", "OPENAI_API_KEY"),
    ("gemini", "Gemini", _GEMINI_BASE_URL, "gemini-3.5-flash", "GEMINI_API_KEY"),
]

# model, name, typical seconds
DEMO_PLATFORMS = [
    ("demo-fast", "演示·快速", 1),
    ("demo-slow", "演示·慢速", 6),
    ("demo-flaky", "演示·不稳定", 2),
    ("demo-quota", "演示·配额用尽", 1),
    ("demo-down", "演示·故障", 1),
]


def seed_platforms() -> int:
    """Add missing platforms; returns how many. A real platform is added once its key is set."""
    added = 0
    for position, (pk, name, base_url, model, key_variable) in enumerate(REAL_PLATFORMS, 1):
        defaults = {
            "name": name,
            "base_url": base_url,
            "model": model,
            "key_variable": key_variable,
            "position": position,
        }
        if os.environ.get(key_variable):
            added += Platform.objects.get_or_create(pk=pk, defaults=defaults)[1]
    for position, (model, name, seconds) in enumerate(DEMO_PLATFORMS, 101):
        defaults = {"name": name, "model": model, "is_demo": True, "typical_seconds": seconds, "position": position}
        defaults |= {"requests_per_minute": 600, "concurrency": 8, "is_enabled": settings.DEMO}
        added += Platform.objects.get_or_create(pk=model, defaults=defaults)[1]
    # Without DEMO the demo endpoint is not served, so its platforms cannot be called.
    Platform.objects.filter(is_demo=True).update(is_enabled=settings.DEMO)
    return added
