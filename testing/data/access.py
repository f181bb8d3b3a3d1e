"""Users of each role, and one row of each model they may request: the fixtures of test_access_table.py."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model
from django.template.response import SimpleTemplateResponse
from django.test import Client
from django.utils import timezone

from diagnosis.choices import CallPurpose, SiteKind, WorkspaceRole
from diagnosis.corrections.services import add_alias, add_competitor
from diagnosis.models import (
    AccountBudget,
    Action,
    Correction,
    Diagnosis,
    FindingKind,
    Invitation,
    LegacyRecord,
    Member,
    NameCandidate,
    OverviewLink,
    Panel,
    Platform,
    RepairChange,
    RepairRun,
    Schedule,
    ShareLink,
    SiteClass,
    TrackedQuestion,
)
from diagnosis.sharing.links import create_overview_link
from diagnosis.spending.ledger import CallRequest, reserve
from diagnosis.workspaces.members import create_invitation
from diagnosis.workspaces.panels import PanelContent, create_panel
from diagnosis.workspaces.questions import add_question
from diagsite.models import Consent, Feedback, Role, User
from diagsite.roles import seed_roles
from errors.catalogue.publishing import seed_error_messages
from errors.models import CopyOverride, ErrorCopy, ErrorEvent
from monitoring.alerts.lifecycle import fire_alert
from monitoring.delivery.messages import Message
from monitoring.models import Alert, Channel, Delivery, Rule, Silence
from monitoring.rules.defaults import seed_rules
from progress.models import PushProcess
from testing.data.diagnoses import make_diagnosis, make_failed_result, make_platform, make_valid_result, run_and_end

ACTORS = ["out", "stranger", "owner", "staff", "editor", "operator", "admin", "root"]
ROLE_BY_ACTOR = {"editor": "editor", "operator": "operator", "admin": "administrator"}
INLINE_CODE_PATTERN = re.compile(
    r"<script(?![^>]*(\ssrc=|application/json))|<style|<[^>]+\s(style|on\w+)\s*=", re.IGNORECASE
)
QUERY_PARAMS_BY_ROUTE = {"api/streams/<stream>/events": {"wait": 0}}


def create_actor_users() -> dict[str, User]:
    """Create a user per actor; "out" has none. The roles must have been seeded."""
    people = {
        name: User.objects.create(username=name, is_staff=name not in ("stranger", "owner")) for name in ACTORS[1:]
    }
    for name, role in ROLE_BY_ACTOR.items():
        group = Role.objects.get(name=role).group
        assert group
        people[name].groups.add(group)
    User.objects.filter(username="root").update(is_superuser=True)
    return people


class AccessFixtures:
    """One row of each model, the owner's where it has one, and a client per actor."""

    def __init__(self) -> None:
        seed_error_messages()
        seed_rules()
        seed_roles()
        self.users = create_actor_users()
        self.client_by_actor = {name: Client() for name in ACTORS}
        for name, person in self.users.items():
            self.client_by_actor[name].force_login(person)
        platform = make_platform()
        self.diagnosis = run_and_end(
            make_diagnosis(self.users["owner"], [platform], questions=["甲？", "乙？"]),
            make_valid_result(),
            make_failed_result(),
        )
        add_competitor(self.diagnosis, "木石坊")
        add_alias(self.diagnosis, "山岚", "山岚牌", self.users["owner"])
        ShareLink.objects.create(
            diagnosis=self.diagnosis,
            created_by=self.users["owner"],
            expires_at=timezone.now() + timedelta(days=1),
        )
        Schedule.objects.create(
            owner=self.users["owner"],
            brand="山岚",
            questions=["甲？"],
            platforms=["fake"],
            every="monthly",
            day=1,
            time="08:00",
            next_at=timezone.now() + timedelta(days=9),
            budget_calls=10,
            budget_money=1,
        )
        Consent.objects.create(owner=self.users["owner"], version="1", client="web")
        Feedback.objects.create(owner=self.users["owner"], kind=Feedback.Kind.FEEDBACK, text="很好。")
        reserve(CallRequest(platform.pk, CallPurpose.PROBE, "问"))
        AccountBudget.objects.create(owner_id=self.users["owner"].pk, monthly_budget=100)
        self._create_system_rows()
        self._create_workspace_rows(platform)
        self.rows = self._find_admin_rows()
        self.routes_with_inline_code: list[
            str
        ] = []  # routes whose page holds script or style, which the policy forbids

    def _create_workspace_rows(self, platform: Platform) -> None:
        workspace = self.diagnosis.workspace
        assert workspace
        NameCandidate.objects.create(workspace=workspace, name="别家", key="别家")
        create_invitation(workspace, WorkspaceRole.VIEWER, self.users["owner"])
        create_overview_link(workspace, 1, self.users["owner"])
        evidence = {"before": 0.5, "after": 0.1, "count": 0, "answers": []}
        Action.objects.create(
            workspace=workspace, kind=FindingKind.DROP, subject="x", rule_version=1, evidence=evidence
        )
        question = add_question(workspace, "丙？", ["标签"])
        create_panel(workspace, "每周", PanelContent([question.pk], [platform.pk], 1), self.users["owner"])

    def _create_system_rows(self) -> None:
        now = timezone.now()
        ErrorEvent.objects.create(code="SERVER_ERROR", fingerprint="0" * 16, outcome="shown")
        CopyOverride.objects.create(code="SERVER_ERROR", title="维护", ends_at=now + timedelta(hours=1), reason="演练")
        PushProcess.objects.create(name="web:1", started_at=now, seen_at=now)
        LegacyRecord.objects.create(table="t", key="1", raw={})
        SiteClass.objects.get_or_create(host="site.example", defaults={"kind": SiteKind.COMMUNITY})
        run = RepairRun.objects.create()
        RepairChange.objects.create(run=run, defect="x", model="diagnosis.diagnosis", key="1")
        fire_alert(fingerprint="test", title="t", severity="error", source=Alert.Source.WATCHDOG, rule_name="r")
        channel = Channel.objects.create(name="邮件", kind=Channel.Kind.EMAIL, recipients="a@example.com")
        message = Message(kind="fired", severity="error", title="t").to_dict()
        Delivery.objects.create(channel=channel, alert=Alert.objects.get(), kind="fired", message=message)
        Silence.objects.create(starts_at=now, ends_at=now + timedelta(hours=1), comment="演练", matchers=[])
        AccessAttempt.objects.create(username="x", ip_address="127.0.0.1", failures_since_start=1)
        of_platforms = ContentType.objects.get_for_model(Platform)
        root = self.users["root"]
        LogEntry.objects.create(user=root, content_type=of_platforms, object_repr="x", action_flag=CHANGE)

    def _find_admin_rows(self) -> dict[type[Model], Model]:
        """Return a row of each model in the admin; the user is not a superuser."""
        rows: dict[type[Model], Model] = {User: self.users["stranger"]}
        for model in admin.site._registry:
            found = rows.get(model) or (None if model._meta.proxy else model._default_manager.first())
            if found is not None:
                rows[model] = found
        return rows

    def build_path(self, route: str) -> str:
        """Return the path of a route with ids of existing rows."""
        values: dict[str, Callable[[], object]] = {
            "diagnosis_id": lambda: self.diagnosis.pk,
            "stream": lambda: self.diagnosis.stream_id,
            "correction_id": lambda: Correction.objects.get().public_id,
            "object_id": lambda: self._find_object_id(route),
            "workspace_id": lambda: self.diagnosis.workspace_id,
            "invitation_id": lambda: Invitation.objects.get().pk,
            "member_id": lambda: Member.objects.get(user=self.users["owner"]).pk,
            "action_id": lambda: Action.objects.get().pk,
            "host": lambda: "news.example",
            "candidate_id": lambda: NameCandidate.objects.get(name="别家").pk,
            "panel_id": lambda: Panel.objects.get().pk,
            "question_id": lambda: TrackedQuestion.objects.get().pk,
            "schedule_id": lambda: Schedule.objects.get().pk,
            "share_id": lambda: (OverviewLink if "workspaces" in route else ShareLink).objects.get().pk,
            "token": lambda: "nobody-s",
            "extension": lambda: "json",
            "content_type_id": lambda: ContentType.objects.get_for_model(Diagnosis).pk,
            "copy_id": lambda: ErrorCopy.objects.filter(code="SERVER_ERROR").first().pk,  # type: ignore[union-attr]
            "number": lambda: 1,
            "alert_id": lambda: Alert.objects.get().pk,
            "channel_id": lambda: Channel.objects.get().pk,
            "platform_id": lambda: "fake",
            "model": lambda: "demo-gemini-search",
            "rule_id": lambda: Rule.objects.get(name="high_latency").pk,
            "name": lambda: self._find_name(route),
            "id": lambda: self.users["stranger"].pk,
            "app_label": lambda: "errors",
            "url": lambda: "nothing",
        }

        def fill(match: re.Match[str]) -> str:
            name = match[0].strip("<>").rpartition(":")[2]
            assert name in values, f"add a value for <{name}> of {route} in testing/data/access.py"
            return str(values[name]())

        return "/" + re.sub(r"<[^>]+>", fill, route)

    def _find_name(self, route: str) -> str:
        """Return the name of a competitor, of a tag, of a legal document, or of a rule."""
        if "competitors" in route:
            return "木石坊"
        if "tags" in route:
            return "标签"
        return "agreement" if "legal" in route else "high_latency"

    def _find_object_id(self, route: str) -> object:
        if route.startswith("admin/r/"):
            return self.diagnosis.pk
        app, model = route.split("/")[1:3]
        found = next((row for kind, row in self.rows.items() if kind._meta.label_lower == f"{app}.{model}"), None)
        return found.pk if found else "0"

    def request_status(self, actor: str, method: str, route: str) -> int:
        """Make a request and return its status; its writes are rolled back."""
        client, kept = self.client_by_actor[actor], self.client_by_actor[actor].cookies.output(header="", sep=";")
        with transaction.atomic(), _rendering(enabled=actor == "root"):
            query = QUERY_PARAMS_BY_ROUTE.get(route, {})
            answer = client.generic(method, self.build_path(route), content_type="application/json", query_params=query)
            transaction.set_rollback(True)
        client.cookies.clear()  # also after a sign-out
        client.cookies.load(kept)
        if "text/html" in answer.headers.get("Content-Type", "") and INLINE_CODE_PATTERN.search(
            answer.content.decode()
        ):
            self.routes_with_inline_code.append(route)
        return answer.status_code


@contextmanager
def _rendering(*, enabled: bool) -> Iterator[None]:
    """Render pages only if enabled: for most actors the status is enough."""
    with pytest.MonkeyPatch.context() as patch:
        if not enabled:
            patch.setattr(SimpleTemplateResponse, "rendered_content", "")
        yield
