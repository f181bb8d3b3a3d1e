"""Hosts of web sites, as sources, brands and the table of site kinds have them."""

import re
from urllib.parse import urlsplit

_MOBILE_HOST = re.compile(r"^(?:www|m|mobile|wap|h5|3g|amp)\.(?=[^.]+\.[^.]+)", re.IGNORECASE)
_HOST = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24}")


def get_host(url: str) -> str:
    """Return the host of a web address in lower case, without "www." or a mobile prefix, in Unicode."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
    labels = []
    for label in host.split("."):
        try:
            labels.append(label.encode("ascii").decode("idna") if label.startswith("xn--") else label)
        except UnicodeError:
            labels.append(label)
    return _MOBILE_HOST.sub("", ".".join(labels))


def normalize_site(text: str) -> str:
    """Return the host of a site that a person typed as a host or an address; "" if it is neither."""
    text = text.strip()
    host = get_host(text if "://" in text else f"https://{text}")
    return host if len(host) <= 255 and _HOST.fullmatch(host) else ""


def list_parent_hosts(host: str) -> list[str]:
    """Return the host and its parents, the most specific first: a.b.example.com, b.example.com, example.com."""
    labels = host.split(".")
    return [".".join(labels[index:]) for index in range(max(1, len(labels) - 1))]
