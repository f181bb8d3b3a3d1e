"""The platforms of old records as rows of ours."""

import hashlib

from django.utils.text import slugify

from diagnosis.models import Platform

BLANK_PLATFORM_ID = "blank"
"""The platform of an answer that came without one, until a repair finds it."""
UNKNOWN_PLATFORM_ID = "unknown"
"""The platform of an answer whose platform nobody can tell."""

# Part of a platform's or a model's name -> our platform.
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
    """The platform that serves a model, by its name; nothing when it tells nothing."""
    folded = model.casefold()
    return next((platform for part, platform in _PLATFORM_BY_NAME_PART.items() if part in folded), "")


class PlatformResolver:
    """Finds, and where it must adds, the row of a platform that an old record names. Added ones are switched off."""

    def __init__(self, *, creates_missing: bool) -> None:
        self._creates_missing = creates_missing
        self._id_by_name = {name.casefold(): pk for pk, name in Platform.objects.values_list("pk", "name")}
        self._id_by_name |= {pk.casefold(): pk for pk in self._id_by_name.values()}

    def resolve(self, name: str) -> str:
        """The row's key."""
        folded = name.strip().casefold()
        if folded not in self._id_by_name:
            self._id_by_name[folded] = self._find_or_create(name.strip())
        return self._id_by_name[folded]

    def _find_or_create(self, name: str) -> str:
        known = detect_platform(name)
        if not name:
            pk, display_name = BLANK_PLATFORM_ID, "（空白）"
        elif known:
            pk, display_name = known, name
        else:
            pk = slugify(name)[:32] or f"old-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
            display_name = name
        if self._creates_missing and pk not in self._id_by_name.values():
            Platform.objects.get_or_create(
                pk=pk, defaults={"name": display_name[:64], "is_enabled": False, "position": 200}
            )
        return pk
