"""The dashboard over HTTP: access, content, language, number of queries."""

import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from monitoring.alerts.lifecycle import fire_alert
from monitoring.dashboard import push
from monitoring.dashboard.charts import Chart, ChartLine
from monitoring.dashboard.svg import compute_scale, render_chart_svg
from monitoring.models import Process, Sample, Series
from monitoring.models.samples import floor_to_bucket
from monitoring.samples.collector import build_series_key
from progress.models import Event, Stream

pytestmark = pytest.mark.django_db

PAGE = "/admin/monitoring/dashboard/"
CHINESE = re.compile(r"[一-鿿]")


@pytest.fixture
def staff() -> Any:
    return get_user_model().objects.create_superuser("op", password="op")


@pytest.fixture
def operator(staff: Any) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def store_calls(valid: float, failed: float) -> None:
    """Store the calls that one server process counted a few minutes ago."""
    now = timezone.now()
    process = Process.objects.create(
        kind="server", host="h", pid=1, started_at=now - timedelta(minutes=30), seen_at=now
    )
    for outcome, value in {"valid": valid, "busy": failed}.items():
        labels = {"platform": "a", "outcome": outcome, "demo": "false"}
        series = Series.objects.create(
            metric="diagnosis_calls_total", labels=labels, key=build_series_key("diagnosis_calls_total", labels)
        )
        bucket = floor_to_bucket(now - timedelta(minutes=5))
        Sample.objects.create(process=process, series=series, bucket=bucket, value=value)


def get_text(html: str) -> str:
    """Return the text of the dashboard without the admin around it."""
    content = html[html.index('<div id="dashboard">') : html.index('id="dashboard-news"')]
    return re.sub(r"<[^>]+>", " ", content)


def test_anonymous_and_ordinary_users_are_redirected_to_sign_in(db: None) -> None:
    client = Client()
    assert client.get(PAGE)["Location"].startswith("/admin/login/")
    client.force_login(get_user_model().objects.create_user("user"))
    assert client.get(PAGE)["Location"].startswith("/admin/login/")
    assert client.get(f"{PAGE}?part=1").status_code == 302


def test_staff_can_find_and_view_the_dashboard(staff: Any) -> None:
    client = Client()
    client.force_login(get_user_model().objects.create_user("helper", is_staff=True))
    index = client.get("/admin/").content.decode()
    assert index.count(f'href="{PAGE}"') >= 2  # the button, and the list of apps
    response = client.get(PAGE)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    assert client.get(f"{PAGE}add/").status_code == 403


def test_page_shows_the_values_of_the_samples(operator: Client) -> None:
    store_calls(valid=97, failed=3)
    for span in ("1h", "24h", "7d"):
        page = operator.get(f"{PAGE}?span={span}").content.decode()
        success = page[page.index('id="chart-success"') : page.index('id="chart-calls"')]
        assert '<strong class="dashboard-total">97.0 %</strong>' in success
        assert f'href="?span={span}" aria-current="page"' in page


def test_page_without_data_says_so(operator: Client) -> None:
    page = operator.get(PAGE).content.decode()
    assert "这段时间没有调用过平台。" in page
    assert "这段时间没有向用户显示错误。" in page


def test_part_is_the_page_without_its_frame(operator: Client) -> None:
    part = operator.get(f"{PAGE}?span=24h&part=1").content.decode()
    assert 'id="part-charts"' in part
    assert "<html" not in part


def test_open_alert_is_shown_with_a_link(operator: Client) -> None:
    alert = fire_alert(fingerprint="code:x", title="<b>磁盘</b>将满", severity="error")
    assert alert
    page = operator.get(PAGE).content.decode()
    assert f"/admin/monitoring/alert/{alert.pk}/change/" in page
    assert "&lt;b&gt;磁盘&lt;/b&gt;将满" in page


def test_page_has_no_inline_script_or_style(operator: Client) -> None:
    store_calls(valid=9, failed=1)
    page = operator.get(PAGE).content.decode()
    content = page[page.index('class="dashboard-spans"') : page.index('id="dashboard-news"')]
    assert not re.search(r"<script(?![^>]*application/json)|\sstyle=|\son\w+=", content)


def test_page_is_completely_translated_to_english(operator: Client) -> None:
    store_calls(valid=9, failed=1)
    page = operator.get(PAGE, headers={"Accept-Language": "en"}).content.decode()
    # Platform names are entered by operators.
    assert CHINESE.findall(re.sub(r'id="part-platforms".*?</section>', "", get_text(page), flags=re.S)) == []
    assert "Success of calls" in page


def test_number_of_queries_is_bounded(operator: Client, django_assert_max_num_queries: Any) -> None:
    store_calls(valid=9, failed=1)
    operator.get(PAGE)
    with django_assert_max_num_queries(40):
        operator.get(PAGE)


def test_svg_is_valid_with_title_and_description() -> None:
    now = timezone.now()
    edges = [now + timedelta(minutes=number) for number in range(5)]
    line = ChartLine("<成功>", [None, 0.5, None, 1.0])
    chart = Chart("success", "a & b", "percent", "lines", edges, [line], 0.75, "")
    root = ElementTree.fromstring(render_chart_svg(chart, "从 <0>"))
    assert [root[0].text, root[1].text] == ["a & b", "从 <0>"]
    path = next(part for part in root if part.tag == "path").get("d") or ""
    assert path.count("M") == 2  # a gap where there is no value
    assert compute_scale(chart).low == 0.0


@pytest.mark.parametrize(("highest", "top"), [(0, 1), (0.9, 1), (1, 1), (7, 10), (21, 25), (260, 500), (0.013, 0.02)])
def test_scale_ends_at_a_round_number(highest: float, top: float) -> None:
    now = timezone.now()
    chart = Chart("x", "x", "count", "lines", [now, now], [ChartLine("x", [highest])], highest, "")
    assert compute_scale(chart).high == pytest.approx(top)


def test_new_samples_are_published_once_per_bucket() -> None:
    store_calls(valid=9, failed=1)
    assert [push.publish_new_samples() for _ in range(3)] == [True, False, False]
    assert Event.objects.filter(stream_id=push.DASHBOARD_STREAM_ID, kind="samples").count() == 1


def test_event_log_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "MAX_DASHBOARD_EVENTS", 3)
    alert = fire_alert(fingerprint="code:x", title="x", severity="error")
    assert alert
    epochs = set()
    for _ in range(8):
        push.publish_alert(alert=alert)
        epochs.add(Stream.objects.get(pk=push.DASHBOARD_STREAM_ID).epoch)
        assert Event.objects.filter(stream_id=push.DASHBOARD_STREAM_ID).count() <= 3
    assert len(epochs) == 3


def test_only_staff_can_see_the_stream(staff: Any) -> None:
    push.get_dashboard_stream()
    user = get_user_model().objects.create_user("user")
    assert list(Stream.objects.visible_to(staff).filter(pk=push.DASHBOARD_STREAM_ID))
    assert not Stream.objects.visible_to(user).filter(pk=push.DASHBOARD_STREAM_ID)


def test_only_staff_sees_details_of_health_checks(operator: Client) -> None:
    assert "detail" in operator.get("/healthz/full").json()["checks"]["database"]
    assert "detail" not in Client().get("/healthz/full").json()["checks"]["database"]
