"""Suggested competitors come from the user's own diagnoses of the same brand."""

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.test import Client

from diagnosis.models import Platform
from diagnosis.orders.services import RequestedBrand
from testing.data.diagnoses import make_diagnosis, make_platform


def get_suggestions(client: Client, brand: str) -> list[dict[str, Any]]:
    answer = client.get("/api/suggestions", {"brand": brand})
    assert answer.status_code == 200
    competitors: list[dict[str, Any]] = answer.json()["competitors"]
    return competitors


def compare(owner: AbstractUser, platform: Platform, *rivals: RequestedBrand, brand: str = "Shanlan") -> None:
    make_diagnosis(owner, [platform], brand=brand, competitors=rivals)


def test_suggestions_are_unique_newest_first_with_latest_aliases(owner: AbstractUser, client: Client) -> None:
    platform = make_platform()
    compare(owner, platform, RequestedBrand("云栖壶", ["云栖"]), RequestedBrand("木石坊"))
    compare(owner, platform, RequestedBrand("云栖壶", ["Yunqi"]))
    assert get_suggestions(client, " shanlan ") == [
        {"name": "云栖壶", "aliases": ["Yunqi"]},
        {"name": "木石坊", "aliases": []},
    ]


def test_competitors_of_other_brands_and_users_are_not_suggested(
    owner: AbstractUser, stranger: AbstractUser, client: Client
) -> None:
    platform = make_platform()
    compare(owner, platform, RequestedBrand("甲"), brand="别的")
    compare(stranger, platform, RequestedBrand("乙"))
    assert get_suggestions(client, "Shanlan") == []


def test_brand_is_required(client: Client) -> None:
    answer = client.get("/api/suggestions", {"brand": ""})
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_INPUT")
