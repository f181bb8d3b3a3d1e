"""The platforms of old records as rows of ours."""

import hashlib

from django.utils.text import slugify

from diagnosis.models import Platform

BLANK = "blank"
"""The platform of an answer that came without one, until a repair finds it."""
UNKNOWN = "unknown"
"""The platform of an answer whose platform nobody can tell."""

# Part of a platform's or a model's name -> our platform.
_KNOWN = {
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


def platform_of_model(model: str) -> str:
    """The platform that serves a model, by its name; nothing when it tells nothing."""
    folded = model.casefold()
    return next((platform for part, platform in _KNOWN.items() if part in folded), "")


class Platforms:
    """Finds, and where it must adds, the row of a platform that an old record names. Added ones are switched off."""

    def __init__(self, *, adds: bool) -> None:
        self._adds = adds
        self._found = {name.casefold(): pk for pk, name in Platform.objects.values_list("pk", "name")}
        self._found |= {pk.casefold(): pk for pk in self._found.values()}

    def find(self, name: str) -> str:
        """The row's key."""
        folded = name.strip().casefold()
        if folded not in self._found:
            self._found[folded] = self._find_or_add(name.strip())
        return self._found[folded]

    def _find_or_add(self, name: str) -> str:
        known = platform_of_model(name)
        if not name:
            pk, shown = BLANK, "（空白）"
        elif known:
            pk, shown = known, name
        else:
            pk = slugify(name)[:32] or f"old-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
            shown = name
        if self._adds and pk not in self._found.values():
            Platform.objects.get_or_create(pk=pk, defaults={"name": shown[:64], "is_enabled": False, "position": 200})
        return pk
