"""A demo diagnosis on a served site."""

import time

from testing.site import running_site


def test_demo_diagnosis_ends_with_a_report() -> None:
    with running_site() as site, site.client() as client:
        order = {"brand": "山岚", "questions": ["推荐哪个手冲壶？"], "platforms": ["demo-fast"]}
        accepted = client.post("/api/diagnoses", json=order)
        assert accepted.status_code == 202
        path = f"/api/diagnoses/{accepted.json()['id']}"
        deadline = time.monotonic() + 20
        while client.get(f"{path}/report").status_code == 409 and time.monotonic() < deadline:
            client.get(f"{accepted.json()['events_url']}?wait=5")
        report = client.get(f"{path}/report").json()
        assert report["demo"] is True
        assert (report["valid"], report["planned"]) == (1, 1)
