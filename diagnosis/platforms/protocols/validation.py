"""Check the settings of a platform row before it is saved: what its protocol cannot carry out, by field."""

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from pydantic import ValidationError

from diagnosis.choices import PlatformSurface, Thinking, WireProtocol
from diagnosis.platforms.protocols.base import CallProfile, Protocol

MAX_EXTRA_BODY_CHARACTERS = 4000


def find_profile_errors(protocol: Protocol, profile: CallProfile) -> dict[str, str]:
    """Return {column: what is wrong and what is allowed}, localized; empty if the protocol can carry it out."""
    errors: dict[str, str] = {}
    if profile.surface not in protocol.surfaces:
        allowed = "、".join(str(surface.label) for surface in PlatformSurface if surface in protocol.surfaces)
        errors["surface"] = _("协议“%(protocol)s”只支持：%(allowed)s") % {
            "protocol": WireProtocol(protocol.name).label,
            "allowed": allowed,
        }
    if profile.thinking not in protocol.thinking_values:
        allowed = "、".join(str(value.label) for value in Thinking if value in protocol.thinking_values)
        errors["thinking"] = _(
            "协议“%(protocol)s”没有这个思考设置，可选：%(allowed)s；平台自己的开关请写进“附加请求体”"
        ) % {"protocol": WireProtocol(protocol.name).label, "allowed": allowed}
    if profile.country and not protocol.takes_country:
        errors["country"] = _("协议“%(protocol)s”不能指定国家，请留空") % {
            "protocol": WireProtocol(protocol.name).label
        }
    elif profile.country and not (
        len(profile.country) == 2 and profile.country.isascii() and profile.country.isupper()
    ):
        errors["country"] = _("请填写两位大写国家代码，例如 CN")
    if problem := _find_options_error(protocol, profile):
        errors["search_options"] = problem
    if problem := _find_extra_body_error(protocol, profile):
        errors["extra_body"] = problem
    return errors


def _find_options_error(protocol: Protocol, profile: CallProfile) -> str:
    if profile.search_options and not profile.has_search:
        return str(_("不联网时没有搜索选项，请填 {}"))
    try:
        protocol.options.model_validate(dict(profile.search_options))
    except ValidationError as error:
        allowed = describe_search_options(protocol) or str(_("没有可填的选项，请填 {}"))
        names = "、".join(sorted({".".join(map(str, problem["loc"])) for problem in error.errors()}))
        return str(_("%(names)s 不对。可填：%(allowed)s")) % {"names": names, "allowed": allowed}
    return ""


def describe_search_options(protocol: Protocol) -> str:
    """Return the search options of a protocol with their defaults and allowed values, on one line."""
    schema = protocol.options.model_json_schema().get("properties", {})
    return "；".join(f"{name}（{_describe_option(option)}）" for name, option in schema.items())


def _describe_option(option: Mapping[str, Any]) -> str:
    values = option.get("enum") or (option.get("items") or {}).get("enum")
    if values:
        allowed = " / ".join(map(str, values))
    elif "minimum" in option:
        allowed = f"{option['minimum']}–{option['maximum']}"
    else:
        allowed = "true / false"
    return f"{allowed}，默认 {json.dumps(option.get('default'), ensure_ascii=False)}"


def _find_extra_body_error(protocol: Protocol, profile: CallProfile) -> str:
    extra = profile.extra_body
    if len(json.dumps(extra, ensure_ascii=False)) > MAX_EXTRA_BODY_CHARACTERS:
        return str(_("附加请求体最长 %(limit)s 个字符")) % {"limit": MAX_EXTRA_BODY_CHARACTERS}
    owned = sorted(protocol.owned_fields & set(extra))
    taken = owned or _find_conflicts(protocol, profile)
    if taken:
        return str(_("%(names)s 由协议自己填写，不能在这里覆盖；请用上面的设置项")) % {"names": "、".join(taken)}
    return ""


def _find_conflicts(protocol: Protocol, profile: CallProfile) -> list[str]:
    """Return the dotted paths of values that both the protocol and the extra body set."""
    if profile.surface not in protocol.surfaces or _find_options_error(protocol, profile):
        return []  # the body cannot be built; the other errors are shown first
    return _find_common_paths(protocol.build_body(profile, ""), profile.extra_body)


def _find_common_paths(body: Mapping[str, Any], extra: Mapping[str, Any], prefix: str = "") -> list[str]:
    paths = []
    for name, value in extra.items():
        if name not in body:
            continue
        if isinstance(body[name], dict) and isinstance(value, Mapping):
            paths += _find_common_paths(body[name], value, f"{prefix}{name}.")
        else:
            paths.append(f"{prefix}{name}")
    return paths
