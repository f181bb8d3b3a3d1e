"""The admin pages of imported and repaired records are read-only."""

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client

from diagnosis.models import LegacyRecord, RepairChange
from diagnosis.repair.runner import run_repair
from diagnosis.tests.conftest import make_signed_in_client
from testing.data.broken_records import create_broken_records

PAGES = ["legacyrecord", "repairrun", "repairchange"]


@pytest.fixture
def operator(owner: AbstractUser) -> Client:
    create_broken_records(owner.pk, broken=24, good=0, in_progress=0)
    run_repair()
    owner.is_staff = owner.is_superuser = True
    owner.save()
    return make_signed_in_client(owner)


@pytest.mark.parametrize("page", PAGES)
def test_records_are_read_only_in_the_admin(operator: Client, page: str) -> None:
    model = {"legacyrecord": LegacyRecord, "repairchange": RepairChange}.get(page)
    listed = operator.get(f"/admin/diagnosis/{page}/")
    assert listed.status_code == 200
    assert operator.get(f"/admin/diagnosis/{page}/add/").status_code == 403
    if model:
        row = model._default_manager.latest("pk").pk
        assert operator.get(f"/admin/diagnosis/{page}/{row}/change/").status_code == 200
        assert operator.post(f"/admin/diagnosis/{page}/{row}/change/", {"key": "x"}).status_code == 403
