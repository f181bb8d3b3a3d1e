"""Validation of requested diagnoses. Errors name the field; a rejected request stores nothing."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diagnosis.models import Answer, Brand, Diagnosis, Platform, Question
from progress.models import Event, Stream
from testing.data.diagnoses import make_platform

pytestmark = pytest.mark.usefixtures("platform")


def build_request_body(**changes: Any) -> dict[str, Any]:
    return {"brand": "山岚", "questions": ["哪个手冲壶好？"], "platforms": ["fake"]} | changes


def post_diagnosis(client: Client, body: Any, language: str = "zh-CN", **headers: str) -> Any:
    """Post str and bytes unchanged, anything else as JSON."""
    raw = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.post(
        "/api/diagnoses",
        raw,
        content_type="application/json",
        headers={"Accept-Language": language, **headers},
    )


def assert_nothing_was_made() -> None:
    made = {model.__name__: model._default_manager.count() for model in (Diagnosis, Question, Answer, Brand)}
    made |= {"Stream": Stream.objects.count(), "Event": Event.objects.count()}
    assert not any(made.values()), made


def assert_refused(response: Any, fields: dict[str, str]) -> None:
    body = response.json()
    assert (response.status_code, response["Content-Type"]) == (422, "application/problem+json")
    assert (body["code"], body["fields"]) == ("INVALID_INPUT", fields)
    assert_nothing_was_made()


def _rival(name: Any = "木石坊", **rest: Any) -> dict[str, Any]:
    return {"name": name, **rest}


MANY = [str(number) for number in range(30)]

REFUSED: list[tuple[str, dict[str, Any], dict[str, tuple[str, str]]]] = [
    ("long brand", {"brand": "山" * 101}, {"brand": ("最多 100 个字。", "At most 100 characters.")}),
    ("empty brand", {"brand": ""}, {"brand": ("至少 1 个字。", "At least 1 characters.")}),
    ("blank brand", {"brand": " \u3000\n"}, {"brand": ("至少 1 个字。", "At least 1 characters.")}),
    (
        "unseen brand",
        {"brand": "\u200b\u200e"},
        {"brand": ("含有无法识别的字符。", "Contains characters that can't be read.")},
    ),
    ("no brand", {"brand": None}, {"brand": ("应为文字。", "Must be text.")}),
    ("a number as brand", {"brand": 7}, {"brand": ("应为文字。", "Must be text.")}),
    (
        "NUL",
        {"brand": "山\x00岚"},
        {"brand": ("含有无法识别的字符。", "Contains characters that can't be read.")},
    ),
    (
        "lone surrogate",
        {"questions": ["好", "\ud83d"]},
        {"questions.1": ("含有无法识别的字符。", "Contains characters that can't be read.")},
    ),
    (
        "escape character",
        {"questions": ["\x1b[31m红"]},
        {"questions.0": ("含有无法识别的字符。", "Contains characters that can't be read.")},
    ),
    ("long alias", {"aliases": ["KW", "山" * 101]}, {"aliases.1": ("最多 100 个字。", "At most 100 characters.")}),
    ("many aliases", {"aliases": MANY[:11]}, {"aliases": ("最多 10 项。", "At most 10.")}),
    (
        "long rival",
        {"competitors": [_rival(), _rival("木" * 101)]},
        {"competitors.1.name": ("最多 100 个字。", "At most 100 characters.")},
    ),
    (
        "nameless rival",
        {"competitors": [{}]},
        {"competitors.0.name": ("请填写这一项。", "Please fill this in.")},
    ),
    (
        "long alias of a rival",
        {"competitors": [_rival(aliases=["木" * 101])]},
        {"competitors.0.aliases.0": ("最多 100 个字。", "At most 100 characters.")},
    ),
    (
        "many rivals",
        {"competitors": [_rival(name) for name in MANY[:11]]},
        {"competitors": ("最多 10 项。", "At most 10.")},
    ),
    (
        "long question",
        {"questions": ["好", "问" * 501]},
        {"questions.1": ("最多 500 个字。", "At most 500 characters.")},
    ),
    ("empty question", {"questions": ["好", " "]}, {"questions.1": ("至少 1 个字。", "At least 1 characters.")}),
    ("no questions", {"questions": []}, {"questions": ("至少 1 项。", "At least 1.")}),
    ("many questions", {"questions": MANY[:21]}, {"questions": ("最多 20 项。", "At most 20.")}),
    ("one question as text", {"questions": "好"}, {"questions": ("应为列表。", "Must be a list.")}),
    ("no platforms", {"platforms": []}, {"platforms": ("至少 1 项。", "At least 1.")}),
    ("many platforms", {"platforms": MANY[:13]}, {"platforms": ("最多 12 项。", "At most 12.")}),
    (
        "unknown platform",
        {"platforms": ["fake", "missing"]},
        {"platforms.1": ("没有名为“missing”的可用平台。", "There is no platform “missing” to choose.")},
    ),
    (
        "NUL in a platform",
        {"platforms": ["fake", "fa\x00ke"]},
        {"platforms.1": ("含有无法识别的字符。", "Contains characters that can't be read.")},
    ),
    ("no repeats", {"repeats": 0}, {"repeats": ("不能小于 1。", "Must be 1 or more.")}),
    ("many repeats", {"repeats": 6}, {"repeats": ("不能大于 5。", "Must be 5 or less.")}),
    ("repeats as words", {"repeats": "许多"}, {"repeats": ("应为整数。", "Must be a whole number.")}),
    ("half a repeat", {"repeats": 1.5}, {"repeats": ("应为整数。", "Must be a whole number.")}),
    ("endless repeats", {"repeats": 10**30}, {"repeats": ("不能大于 5。", "Must be 5 or less.")}),
    (
        "a question twice",
        {"questions": ["好？", "坏？", "好?"]},
        {"questions.2": ("与前面的重复了。", "The same as one before.")},
    ),
    (
        "a platform twice",
        {"platforms": ["fake", "fake"]},
        {"platforms.1": ("与前面的重复了。", "The same as one before.")},
    ),
    (
        "a rival twice",
        {"competitors": [_rival("KW"), _rival("ｋｗ")]},
        {"competitors.1.name": ("与前面的重复了。", "The same as one before.")},
    ),
    (
        "the brand as its own rival",
        {"competitors": [_rival(" 山岚 ")]},
        {"competitors.0.name": ("与前面的重复了。", "The same as one before.")},
    ),
    (
        "a rival's alias that is the brand",
        {"competitors": [_rival(), _rival("一盏", aliases=["盏", "山岚"])]},
        {"competitors.1.aliases.1": ("与前面的重复了。", "The same as one before.")},
    ),
    (
        "a rival that is the brand's alias",
        {"aliases": ["木石坊"], "competitors": [_rival()]},
        {"competitors.0.name": ("与前面的重复了。", "The same as one before.")},
    ),
    (
        "several at once",
        {"brand": "", "repeats": 9, "questions": ["好", ""]},
        {
            "brand": ("至少 1 个字。", "At least 1 characters."),
            "repeats": ("不能大于 5。", "Must be 5 or less."),
            "questions.1": ("至少 1 个字。", "At least 1 characters."),
        },
    ),
]


@pytest.mark.parametrize(("changes", "fields"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_invalid_field_is_named_in_the_requested_language(
    client: Client, changes: dict[str, Any], fields: dict[str, tuple[str, str]]
) -> None:
    for place, language in enumerate(["zh-CN,zh;q=0.9", "en-US,en;q=0.9"]):
        response = post_diagnosis(client, build_request_body(**changes), language)
        assert_refused(response, {name: words[place] for name, words in fields.items()})
        assert response["Content-Language"] == ["zh-hans", "en"][place]


@pytest.mark.parametrize("missing", ["brand", "questions", "platforms"])
def test_missing_field_is_named(client: Client, missing: str) -> None:
    body = build_request_body()
    del body[missing]
    assert_refused(post_diagnosis(client, body), {missing: "请填写这一项。"})


def test_disabled_platform_is_rejected(client: Client) -> None:
    make_platform("off", is_enabled=False)
    response = post_diagnosis(client, build_request_body(platforms=["fake", "off"]))
    assert_refused(response, {"platforms.1": "没有名为“off”的可用平台。"})


@pytest.mark.parametrize("body", ["not json", "{", '{"brand": "山', b"\xff\xfe{}", "[" * 100_000, '{"brand": NaN,}'])
def test_body_must_be_json(client: Client, body: str | bytes) -> None:
    response = post_diagnosis(client, body)
    assert (response.status_code, response.json()["code"]) == (400, "DATA_FORMAT_ERROR")
    assert response["Content-Type"] == "application/problem+json"
    assert_nothing_was_made()


def test_body_is_required(client: Client) -> None:
    assert_refused(post_diagnosis(client, ""), {"body": "请填写这一项。"})


@pytest.mark.parametrize("body", ["null", "[]", "7", '"text"', "true"])
def test_body_must_be_an_object(client: Client, body: str) -> None:
    assert_refused(post_diagnosis(client, body), dict.fromkeys(["brand", "questions", "platforms"], "请填写这一项。"))


def test_body_of_a_megabyte_is_rejected_before_it_is_read(client: Client) -> None:
    response = post_diagnosis(client, build_request_body(questions=["问" * 500] * 700))
    assert (response.status_code, response.json()["code"]) == (400, "DATA_FORMAT_ERROR")
    assert_nothing_was_made()


def test_largest_request_is_accepted(client: Client) -> None:
    platforms = [make_platform(f"p{number}").pk for number in range(10)]
    aliases = ["名" * 98 + f"{number:02}" for number in range(10)]
    response = post_diagnosis(
        client,
        build_request_body(
            brand="山" * 100,
            aliases=aliases,
            competitors=[
                _rival("木" * 98 + f"{number:02}", aliases=[f"{number:02}" + alias[2:] for alias in aliases])
                for number in range(10)
            ],
            questions=["问" * 498 + f"{number:02}" for number in range(20)],
            platforms=platforms,
            repeats=5,
        ),
    )
    assert (response.status_code, response.json()["planned"]) == (202, 1000)
    assert Answer.objects.count() == 1000


@pytest.mark.parametrize(
    "text",
    [
        "🍵👨‍👩‍👧 哪个壶好",
        "ما هو أفضل\u200f إبريق؟",
        "第一行\n第二行\t格",
        "第一行\r\n第二行",
        "𠮷野家怎么样",
        "<b>&amp;</b> '; DROP TABLE--",
        "%s %(x)s {0} {brand}",
        "e\u0301",
    ],
)
def test_text_is_stored_unchanged(client: Client, text: str) -> None:
    response = post_diagnosis(client, build_request_body(brand=text, questions=[text], aliases=[f"{text}茶"]))
    assert response.status_code == 202, response.json()
    detail = client.get(f"/api/diagnoses/{response.json()['id']}").json()
    assert (detail["brand"], detail["questions"][0]["text"]) == (text, text)
    assert detail["brands"] == [
        {"name": text, "aliases": [f"{text}茶"], "sites": [], "is_own": True, "is_added": False}
    ]


def test_surrounding_space_is_removed(client: Client) -> None:
    response = post_diagnosis(
        client, build_request_body(brand=" 山岚\n", questions=["\u3000哪个好？ "], platforms=[" fake "])
    )
    detail = client.get(f"/api/diagnoses/{response.json()['id']}").json()
    assert (detail["brand"], detail["questions"][0]["text"]) == ("山岚", "哪个好？")


def test_request_creates_one_answer_per_question_platform_and_repeat(client: Client) -> None:
    make_platform("other")
    body = build_request_body(
        aliases=["SL"],
        competitors=[_rival("木石坊", aliases=["MSF"]), _rival("一盏")],
        questions=["甲？", "乙？"],
        platforms=["fake", "other"],
        repeats=3,
    )
    response = post_diagnosis(client, body)
    accepted = response.json()
    assert (response.status_code, accepted["status"], accepted["planned"]) == (202, "queued", 12)
    assert accepted["events_url"] == f"/api/streams/{accepted['stream']}/events"
    assert accepted["socket_url"] == f"/ws/diagnosis/{accepted['stream']}/"
    planned = Answer.objects.values_list("question__text", "platform_id", "repeat", "state", "is_demo")
    assert sorted(planned) == [
        (question, platform, repeat, "pending", False)
        for question in ("乙？", "甲？")
        for platform in ("fake", "other")
        for repeat in (1, 2, 3)
    ]
    names = Brand.objects.values_list("name", "aliases", "is_own", "position")
    assert list(names) == [("山岚", ["SL"], True, 0), ("木石坊", ["MSF"], False, 1), ("一盏", [], False, 2)]
    first = {"stage": "queued", "percent": 0, "done": 0, "planned": 12, "eta_s": None}
    assert list(Event.objects.values_list("seq", "kind", "data")) == [(1, "progress", first)]


def test_brand_is_not_added_to_the_question(client: Client) -> None:
    post_diagnosis(client, build_request_body(brand="山岚", aliases=["SL"], competitors=[_rival()]))
    assert Question.objects.get().text == "哪个手冲壶好？"


def test_diagnosis_with_a_demo_platform_is_marked_as_demo(client: Client) -> None:
    Platform.objects.create(pk="demo-fast", name="演示", model="demo-fast", is_demo=True)
    assert post_diagnosis(client, build_request_body(platforms=["demo-fast"])).json()["demo"] is True
    assert post_diagnosis(client, build_request_body()).json()["demo"] is False
    assert set(Answer.objects.values_list("platform_id", "is_demo")) == {("fake", False), ("demo-fast", True)}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "aliases"]), inner),
    max_leaves=8,
)
_FIELDS = ["brand", "aliases", "competitors", "questions", "platforms", "repeats"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(changes=st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=3))
def test_arbitrary_bodies_cause_no_server_error_and_leave_no_rows(client: Client, changes: dict[str, Any]) -> None:
    before = Diagnosis.objects.count(), Stream.objects.count()
    response = post_diagnosis(client, build_request_body(**changes))
    accepted = response.status_code == 202
    assert accepted or (response.status_code == 422 and response.json()["fields"])
    assert (Diagnosis.objects.count(), Stream.objects.count()) == (before[0] + accepted, before[1] + accepted)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"paused_until": timezone.now() + timedelta(days=7), "pause_reason": "operator"}, "暂停至"),
        ({"key_variable": "MISSING_API_KEY"}, "没有密钥"),
    ],
)
def test_only_platforms_that_cannot_answer_are_refused(client: Client, columns: dict[str, Any], reason: str) -> None:
    make_platform("second", **columns)
    Platform.objects.filter(pk="fake").update(**columns)
    response = post_diagnosis(client, build_request_body(platforms=["fake", "second"]))
    assert (response.status_code, list(response.json()["fields"])) == (422, ["platforms"])
    assert response.json()["fields"]["platforms"].count(reason) == 2
    assert_nothing_was_made()
    make_platform("third")
    assert post_diagnosis(client, build_request_body(platforms=["fake", "third"])).status_code == 202


def test_demo_and_real_platforms_are_not_mixed(client: Client) -> None:
    make_platform("demo", is_demo=True)
    response = post_diagnosis(client, build_request_body(platforms=["fake", "demo"]), language="en")
    assert_refused(
        response,
        {"platforms": "Answers of demo platforms are fictional. They cannot be in one diagnosis with real platforms."},
    )
