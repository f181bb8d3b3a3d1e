"""Addresses of sources: which are stored, without tracking, and which of them name one and the same page."""

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from diagnosis.sites import get_host

MAX_URL_CHARACTERS = 2000

_TRACKING_PARAMETERS = re.compile(
    r"(utm|mtm|pk|hsa|matomo|spm|scm|vero|oly|hs|share|sharer|share_from|wx|wxshare|bxsign)_\w+"
    r"|spm|scm|pvid|gclid|dclid|gbraid|wbraid|fbclid|msclkid|yclid|igshid|igsh|mc_cid|mc_eid|_ga|_gl|ref_src|ref_url"
    r"|srsltid|si|share_token|share_uid|share_medium|share_plat|share_source|sharefrom|vd_source|from_source|from_spmid"
    r"|spm_id_from|plat_id|is_story_h5|unique_k|timestamp_share|xsec_source|bd_vid|hmsr|hmpl|hmcu|hmkw|hmci|chksm"
    r"|scene|clicktime|enterid|sessionid|isappinstalled|wechat_redirect|wid|source_id|ws_call_id",
    re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def clean_url(url: str) -> str:
    """Return a web address without tracking parameters and fragment; "" if it is none that can be opened."""
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not host or len(url) > MAX_URL_CHARACTERS or re.search(r"[\s<>\"\\]", host):
        return ""
    netloc = f"[{host}]" if ":" in host else host
    if port not in (None, _DEFAULT_PORTS[scheme]):
        netloc += f":{port}"
    fields = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in fields if not _TRACKING_PARAMETERS.fullmatch(name)]
    query = parts.query if len(kept) == len(fields) else urlencode(kept)
    # A fragment that is a route ("#/a", "#!a") names the page; any other names a place in it.
    fragment = parts.fragment if parts.fragment.startswith(("/", "!")) else ""
    return urlunsplit((scheme, netloc, parts.path or "/", query, fragment))


def get_page_key(url: str) -> str:
    """Return what all addresses of one page have in common: host without "www." or "m.", path, sorted parameters."""
    cleaned = clean_url(url)
    if not cleaned:
        return url.strip()[:MAX_URL_CHARACTERS]
    parts = urlsplit(cleaned)
    host = get_host(cleaned)
    port = f":{parts.port}" if parts.port else ""
    path = quote(unquote(parts.path), safe="/:@!$&'()*+,;=~-._").rstrip("/")
    query = urlencode(sorted(parse_qsl(parts.query, keep_blank_values=True)))
    return f"{host}{port}{path}{'?' + query if query else ''}{'#' + parts.fragment if parts.fragment else ''}"
