"""Admin of error messages: drafts with preview, publishing, rollback, CSV export and import."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from errors.audit import AuditedAdmin, log_action
from errors.catalogue.publishing import accept_upstream, publish_draft, reject_upstream, republish_revision
from errors.catalogue.translation_files import (
    InvalidTranslationFile,
    apply_translation_import,
    export_translations,
    list_import_errors,
    plan_translation_import,
)
from errors.codes import ERROR_SPECS, ErrorCode
from errors.messages import message
from errors.messages.default_texts import ACTION_LABELS
from errors.messages.diff import diff_contents
from errors.models import CopyRevision, ErrorCopy, ErrorCount

PUBLISH_PERMISSION = "errors.publish_errorcopy"


def get_author(request: HttpRequest) -> AbstractBaseUser:
    return cast(AbstractBaseUser, request.user)


@admin.register(ErrorCopy)
class ErrorCopyAdmin(AuditedAdmin[ErrorCopy]):
    """Saving changes the draft; publishing requires its own permission."""

    list_display = ["code", "locale", "title", "display", "seen_in_24_hours", "has_draft", "has_upstream_changes"]
    list_display_links = ["code", "title"]
    list_filter = ["locale", "display", "has_draft", "has_upstream_changes", "code"]
    search_fields = ["code", "title", "message", "suggestion"]
    readonly_fields = ["code", "locale"]
    list_per_page = 100
    allowed_actions = ["publish_chosen", "export_chosen"]
    fieldsets = [
        (None, {"fields": [("code", "locale"), "title", "message", "suggestion"]}),
        ("按钮", {"fields": [("action", "action_label")]}),
        ("展示", {"fields": [("display", "icon", "duration_ms")]}),
    ]

    class Media:
        css = {"all": ["errors/copy.css"]}
        js = ["errors/preview.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ErrorCopy]:
        """Add how often each code was shown, in the same query."""
        since = (timezone.now() - timedelta(hours=24)).replace(minute=0, second=0, microsecond=0)
        counts = ErrorCount.objects.filter(code=OuterRef("code"), hour__gte=since, outcome="shown")
        total = counts.order_by().values("code").annotate(total=Sum("count")).values("total")
        return super().get_queryset(request).annotate(seen=Coalesce(Subquery(total), 0)).select_related("published")

    @admin.display(description="24 小时内出现", ordering="seen")
    def seen_in_24_hours(self, copy: Any) -> int:
        """How often the code was shown to users, in all languages."""
        return int(copy.seen)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """`manage.py seed` adds the rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ErrorCopy | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site
        own = [
            path("export/", site.admin_view(self.export_view), name="errors_errorcopy_export"),
            path("import/", site.admin_view(self.import_view), name="errors_errorcopy_import"),
            path("<int:copy_id>/revisions/", site.admin_view(self.revisions_view), name="errors_errorcopy_revisions"),
            path(
                "<int:copy_id>/revisions/<int:number>/roll-back/",
                site.admin_view(require_POST(self.roll_back_view)),
                name="errors_errorcopy_roll_back",
            ),
        ]
        return own + super().get_urls()

    # The form ------------------------------------------------------------------------------------------------------

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add the data of the preview and the differences to the published and the default message."""
        copy: ErrorCopy = context["original"]
        published = copy.published.content if copy.published else {}
        context.update(
            preview=build_preview_data(copy),
            placeholders=ERROR_SPECS[ErrorCode(copy.code)].placeholders,
            unpublished=diff_contents(published, copy.draft.content()),
            upstream=diff_contents(copy.draft.content(), copy.upstream) if copy.has_upstream_changes else [],
            can_publish=request.user.has_perm(PUBLISH_PERMISSION),
        )
        return super().render_change_form(request, context, *args, **kwargs)

    def response_change(self, request: HttpRequest, obj: ErrorCopy) -> HttpResponse:
        """After saving, carry out the action of the pressed button."""
        if "_publish" in request.POST:
            self._publish_draft(request, obj, request.POST.get("reason", ""))
            return redirect(request.path)
        if "_take_upstream" in request.POST:
            accept_upstream(obj.pk)
            log_action(self, request, obj, "采用随版本提供的文案（草稿）")
            self.message_user(request, "已把随版本提供的文案放进草稿，请检查后发布。", messages.SUCCESS)
            return redirect(request.path)
        if "_keep_own" in request.POST:
            reject_upstream(obj.pk)
            log_action(self, request, obj, "保留现有文案")
            self.message_user(request, "已保留现有文案。", messages.SUCCESS)
            return redirect(request.path)
        return super().response_change(request, obj)

    def _publish_draft(self, request: HttpRequest, copy: ErrorCopy, reason: str) -> bool:
        _require_publish_permission(request)
        try:
            revision = publish_draft(copy.pk, author=get_author(request), reason=reason.strip() or "未填写")
        except ValidationError as error:
            self.message_user(request, f"{copy}：{' '.join(error.messages)}", messages.ERROR)
            return False
        log_action(self, request, copy, f"发布为第 {revision.number} 版：{revision.reason}")
        self.message_user(request, f"{copy} 已发布为第 {revision.number} 版，1 秒内处处生效。", messages.SUCCESS)
        return True

    @admin.action(description="发布所选文案的修改", permissions=["publish"])
    def publish_chosen(self, request: HttpRequest, queryset: QuerySet[ErrorCopy]) -> None:
        """Publish each row separately; an invalid row does not affect the others."""
        for copy in queryset:
            if copy.has_draft:
                self._publish_draft(request, copy, "批量发布")

    def has_publish_permission(self, request: HttpRequest) -> bool:
        """Permission of `publish_chosen`."""
        return bool(request.user.has_perm(PUBLISH_PERMISSION))

    # Revisions -----------------------------------------------------------------------------------------------------

    def revisions_view(self, request: HttpRequest, copy_id: int) -> HttpResponse:
        """Show every revision with its changes."""
        copy = get_object_or_404(ErrorCopy, pk=copy_id)
        if not self.has_view_permission(request, copy):
            raise PermissionDenied
        revisions = list(copy.revisions.order_by("number"))
        before: dict[str, Any] = {}
        history = []
        for revision in revisions:
            history.append({"revision": revision, "changes": diff_contents(before, revision.content)})
            before = revision.content
        context = {
            **self.admin_site.each_context(request),
            "title": f"{copy} 的版本",
            "copy": copy,
            "opts": self.opts,
            "history": history[::-1],
            "can_publish": request.user.has_perm(PUBLISH_PERMISSION),
        }
        return TemplateResponse(request, "admin/errors/errorcopy/revisions.html", context)

    def roll_back_view(self, request: HttpRequest, copy_id: int, number: int) -> HttpResponse:
        _require_publish_permission(request)
        old = get_object_or_404(CopyRevision.objects.select_related("copy"), copy_id=copy_id, number=number)
        reason = request.POST.get("reason", "").strip() or f"回到第 {number} 版"
        try:
            revision = republish_revision(copy_id, number, author=get_author(request), reason=reason)
        except ValidationError as error:
            self.message_user(request, f"没有回滚到第 {number} 版：{' '.join(error.messages)}", messages.ERROR)
        else:
            log_action(self, request, old.copy, f"回到第 {number} 版，发布为第 {revision.number} 版：{reason}")
            self.message_user(request, f"已回到第 {number} 版的文案（新的第 {revision.number} 版）。", messages.SUCCESS)
        return redirect(reverse("admin:errors_errorcopy_revisions", args=[copy_id]))

    # Files ---------------------------------------------------------------------------------------------------------

    @admin.action(description="导出所选文案（CSV）")
    def export_chosen(self, request: HttpRequest, queryset: QuerySet[ErrorCopy]) -> HttpResponse:
        return _build_csv_response(queryset)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Export all messages."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return _build_csv_response(self.get_queryset(request))

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """List the changes of an uploaded file; after confirmation, write the drafts."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": "导入文案",
            "opts": self.opts,
        }
        try:
            if request.method == "POST" and "content" in request.POST:
                imported = apply_translation_import(request.POST["content"].encode())
                for copy in ErrorCopy.objects.filter(pk__in=imported):
                    log_action(self, request, copy, "导入译文（草稿）")
                self.message_user(
                    request, f"已把 {len(imported)} 条文案的修改放进草稿，检查后即可发布。", messages.SUCCESS
                )
                return redirect(reverse("admin:errors_errorcopy_changelist") + "?has_draft__exact=1")
            if request.method == "POST" and "file" in request.FILES:
                data = request.FILES["file"].read()  # type: ignore[union-attr]
                plans = plan_translation_import(data)
                context |= {"plans": plans, "faults": list_import_errors(plans), "content": data.decode("utf-8-sig")}
        except InvalidTranslationFile as error:
            context["unreadable"] = str(error)
        return TemplateResponse(request, "admin/errors/errorcopy/import.html", context)


def _require_publish_permission(request: HttpRequest) -> None:
    if not request.user.has_perm(PUBLISH_PERMISSION):
        raise PermissionDenied


def _build_csv_response(copies: QuerySet[ErrorCopy]) -> HttpResponse:
    response = HttpResponse(export_translations(copies), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="error-copy.csv"'
    return response


def build_preview_data(copy: ErrorCopy) -> dict[str, Any]:
    """Return the data that the preview needs beside the form fields."""
    spec = ERROR_SPECS[ErrorCode(copy.code)]
    return {
        "examples": {placeholder.name: placeholder.example for placeholder in spec.placeholders},
        "labels": {kind.value: ACTION_LABELS[copy.locale][kind] for kind in spec.allowed_actions},
        "severity": spec.severity.value,
        "retry_after_ms": spec.retry_after_ms,
        "draft": asdict(copy.draft),
        "limits": {
            "modal": message.MAX_MODAL_TITLE_WIDTH,
            "title": message.MAX_TITLE_WIDTH,
            "text": message.MAX_TEXT_WIDTH,
            "label": message.MAX_LABEL_WIDTH,
        },
    }
