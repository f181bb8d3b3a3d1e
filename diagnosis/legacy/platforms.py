"""Map the platforms of old records to rows of this site."""

import hashlib

from django.utils.text import slugify

from diagnosis.models import Platform

BLANK_PLATFORM_ID = "blank"
"""The platform of an answer without one, until a repair assigns it."""
UNKNOWN_PLATFORM_ID = "unknown"
"""The platform of an answer whose platform cannot be determined."""

# Part of the name of a platform or model -> platform id.
_PLATFORM_BY_NAME_PART = {
    "豆包": "doubao",
    "doubao": "doubao",
    "deepseek": "deepseek",
    "深度求索": "deepseek",
    "通义": "qwen",
    "千问": "qwen",
    "qwen": "qwen",
    "kimi": "kimi",
    "moonshot": "kimi",
    "智谱": "glm",
    "zhipu": "glm",
    "glm": "glm",
    "混元": "hunyuan",
    "hunyuan": "hunyuan",
    "文心": "ernie",
    "ernie": "ernie",
    "chatgpt": "openai",
    "gpt-": "openai",
    "openai": "openai",
    "gemini": "gemini",
}


def detect_platform(model: str) -> str:
    """Return the platform that a model or platform name indicates, empty if none."""
    normalized = model.casefold()
    return next((platform for part, platform in _PLATFORM_BY_NAME_PART.items() if part in normalized), "")


class PlatformResolver:
    """Finds the platform that an old record names, and creates a missing one, disabled."""

    def __init__(self, *, creates_missing: bool) -> None:
        self._creates_missing = creates_missing
        self._id_by_name = {name.casefold(): pk for pk, name in Platform.objects.values_list("pk", "name")}
        self._id_by_name |= {pk.casefold(): pk for pk in self._id_by_name.values()}

    def resolve(self, name: str) -> str:
        """Return the id of the platform with this name."""
        name = name.strip()
        if name.casefold() in self._id_by_name:
            return self._id_by_name[name.casefold()]
        pk = BLANK_PLATFORM_ID
        if name:
            fallback = slugify(name)[:32] or f"old-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
            pk = detect_platform(name) or fallback
        if self._creates_missing and pk not in self._id_by_name.values():
            defaults = {"name": name[:64] or "（空白）", "is_enabled": False, "position": 200}
            Platform.objects.get_or_create(pk=pk, defaults=defaults)
        self._id_by_name[name.casefold()] = pk
        return pk
