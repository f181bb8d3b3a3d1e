"""Waiting long polls hold no database connection."""

from concurrent.futures import ThreadPoolExecutor

from testing.fakes.platform import FakePlatform, hold_response
from testing.invariants import build_diagnosis_body
from testing.services import wait_until
from testing.site import running_site

CONNECTIONS = 4
POLLS = 12


def test_site_works_with_more_waiting_polls_than_connections() -> None:
    with FakePlatform() as fake, running_site(DATABASE_POOL_SIZE=str(CONNECTIONS)) as site, site.client() as client:
        site.add_platform("held", fake.base_url)
        fake.set_behaviour(hold_response(), model="held")
        stream = client.post("/api/diagnoses", json=build_diagnosis_body(["held"])).json()["stream"]
        wait_until(lambda: fake.count(model="held"), "the platform to be asked")
        last = client.get(f"/api/streams/{stream}/events").json()["last"]
        with ThreadPoolExecutor(POLLS) as threads:
            address = f"/api/streams/{stream}/events?after={last}&wait=20"

            def poll() -> bool:
                """Poll until there is a new event: on a busy machine a poll may end before the platform answers."""
                while (body := client.get(address).raise_for_status().json())["last"] == last:
                    pass
                return bool(body["last"] > last)

            polls = [threads.submit(poll) for _ in range(POLLS)]
            open_polls = "SELECT sum(polls_open) FROM progress_pushprocess"
            wait_until(lambda: site.query(open_polls) == [(POLLS,)], "all polls to wait")
            assert client.get("/api/platforms").status_code == 200
            fake.release()
            assert all(ended.result() for ended in polls)
