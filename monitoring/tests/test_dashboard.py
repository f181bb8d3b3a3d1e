"""The dashboard as HTTP: who may see it, what it says, in which language, and at what cost."""

import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from monitoring import live
from monitoring.alerting import fire_alert
from monitoring.charts import Chart, Line
from monitoring.models import Process, Sample, Series
from monitoring.sampling import bucket_of, key_of
from monitoring.svg import draw, scale_of
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
    """What one server process counted a few minutes ago."""
    now = timezone.now()
    process = Process.objects.create(
        kind="server", host="h", pid=1, started_at=now - timedelta(minutes=30), seen_at=now
    )
    for outcome, value in {"valid": valid, "busy": failed}.items():
        labels = {"platform": "a", "outcome": outcome, "demo": "false"}
        series = Series.objects.create(
            metric="diagnosis_calls_total", labels=labels, key=key_of("diagnosis_calls_total", labels)
        )
        bucket = bucket_of(now - timedelta(minutes=5))
        Sample.objects.create(process=process, series=series, bucket=bucket, value=value)


def content_of(html: str) -> str:
    """What our page says, without the admin around it."""
    inner = html[html.index('<div id="dashboard">') : html.index('id="dashboard-news"')]
    return re.sub(r"<[^>]+>", " ", inner)


def test_strangers_and_users_are_sent_to_the_sign_in(db: None) -> None:
    client = Client()
    assert client.get(PAGE)["Location"].startswith("/admin/login/")
    client.force_login(get_user_model().objects.create_user("somebody"))
    assert client.get(PAGE)["Location"].startswith("/admin/login/")
    assert client.get(f"{PAGE}?part=1").status_code == 302


def test_any_staff_sees_it_and_finds_it(staff: Any) -> None:
    client = Client()
    client.force_login(get_user_model().objects.create_user("helper", is_staff=True))
    index = client.get("/admin/").content.decode()
    assert index.count(f'href="{PAGE}"') >= 2  # the button, and the list of apps
    answer = client.get(PAGE)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert client.get(f"{PAGE}add/").status_code == 403


def test_the_figures_of_the_page_are_those_of_the_samples(operator: Client) -> None:
    store_calls(valid=97, failed=3)
    for span in ("1h", "24h", "7d"):
        page = operator.get(f"{PAGE}?span={span}").content.decode()
        success = page[page.index('id="chart-success"') : page.index('id="chart-calls"')]
        assert '<strong class="dashboard-total">97.0 %</strong>' in success
        assert f'href="?span={span}" aria-current="page"' in page


def test_without_data_it_says_so_in_words(operator: Client) -> None:
    page = operator.get(PAGE).content.decode()
    assert "这段时间没有调用过平台。" in page
    assert "这段时间没有向用户显示错误。" in page


def test_the_part_is_the_page_without_its_frame(operator: Client) -> None:
    part = operator.get(f"{PAGE}?span=24h&part=1").content.decode()
    assert 'id="part-charts"' in part
    assert "<html" not in part


def test_an_open_alert_is_shown_with_its_page(operator: Client) -> None:
    alert = fire_alert(fingerprint="code:x", title="<b>磁盘</b>将满", severity="error")
    assert alert
    page = operator.get(PAGE).content.decode()
    assert f"/admin/monitoring/alert/{alert.pk}/change/" in page
    assert "&lt;b&gt;磁盘&lt;/b&gt;将满" in page


def test_no_script_and_no_style_is_inline(operator: Client) -> None:
    store_calls(valid=9, failed=1)
    page = operator.get(PAGE).content.decode()
    inner = page[page.index('class="dashboard-spans"') : page.index('id="dashboard-news"')]
    assert not re.search(r"<script(?![^>]*application/json)|\sstyle=|\son\w+=", inner)


def test_it_is_all_english_for_who_reads_english(operator: Client) -> None:
    store_calls(valid=9, failed=1)
    page = operator.get(PAGE, headers={"Accept-Language": "en"}).content.decode()
    # Names of platforms are the operators' own words.
    assert CHINESE.findall(re.sub(r'id="part-platforms".*?</section>', "", content_of(page), flags=re.S)) == []
    assert "Success of calls" in page


def test_its_cost_does_not_grow_with_what_it_shows(operator: Client, django_assert_max_num_queries: Any) -> None:
    store_calls(valid=9, failed=1)
    operator.get(PAGE)
    with django_assert_max_num_queries(40):
        operator.get(PAGE)


def test_a_picture_has_words_and_valid_markup() -> None:
    now = timezone.now()
    edges = [now + timedelta(minutes=number) for number in range(5)]
    line = Line("<成功>", [None, 0.5, None, 1.0])
    chart = Chart("success", "a & b", "percent", "lines", edges, [line], 0.75, "")
    root = ElementTree.fromstring(draw(chart, "从 <0>"))
    assert [root[0].text, root[1].text] == ["a & b", "从 <0>"]
    path = next(part for part in root if part.tag == "path").get("d") or ""
    assert path.count("M") == 2  # broken where nothing is known, not drawn through
    assert scale_of(chart).low == 0.0


@pytest.mark.parametrize(("highest", "top"), [(0, 1), (0.9, 1), (1, 1), (7, 10), (21, 25), (260, 500), (0.013, 0.02)])
def test_scales_end_in_a_round_number(highest: float, top: float) -> None:
    now = timezone.now()
    chart = Chart("x", "x", "count", "lines", [now, now], [Line("x", [highest])], highest, "")
    assert scale_of(chart).high == pytest.approx(top)


def test_new_samples_are_told_once_a_bucket() -> None:
    store_calls(valid=9, failed=1)
    assert [live.tell_samples() for _look in range(3)] == [True, False, False]
    assert Event.objects.filter(stream_id=live.STREAM_ID, kind="samples").count() == 1


def test_the_log_stays_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_EVENTS", 3)
    alert = fire_alert(fingerprint="code:x", title="x", severity="error")
    assert alert
    epochs = set()
    for _number in range(8):
        live.tell_alert(alert=alert)
        epochs.add(Stream.objects.get(pk=live.STREAM_ID).epoch)
        assert Event.objects.filter(stream_id=live.STREAM_ID).count() <= 3
    assert len(epochs) == 3


def test_the_stream_is_for_staff_alone(staff: Any) -> None:
    live.dashboard_stream()
    user = get_user_model().objects.create_user("somebody")
    assert list(Stream.objects.visible_to(staff).filter(pk=live.STREAM_ID))
    assert not Stream.objects.visible_to(user).filter(pk=live.STREAM_ID)


def test_staff_hears_why_a_check_fails(operator: Client) -> None:
    assert "detail" in operator.get("/healthz/full").json()["checks"]["database"]
    assert "detail" not in Client().get("/healthz/full").json()["checks"]["database"]
