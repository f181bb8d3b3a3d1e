"""The admin pages of paid calls, their totals, and budgets."""

from django.contrib import admin

from diagnosis.admin.diagnoses import DiagnosisSearchMixin
from diagnosis.models import AccountBudget, BudgetUse, DailySpending, PaidCall
from errors.audit import AuditedAdmin, ReadOnlyAdmin


@admin.register(DailySpending)
class DailySpendingAdmin(ReadOnlyAdmin[DailySpending]):
    """Totals of each day, by platform, account and purpose."""

    list_display = [
        "day",
        "platform",
        "purpose",
        "owner",
        "calls",
        "prompt_tokens",
        "completion_tokens",
        "reasoning_tokens",
        "searches",
        "cost",
    ]
    list_filter = ["day", "platform", "purpose"]
    search_fields = ["owner__username"]
    list_select_related = ["platform", "owner"]
    date_hierarchy = "day"
    list_per_page = 100
    show_full_result_count = False


@admin.register(PaidCall)
class PaidCallAdmin(DiagnosisSearchMixin, ReadOnlyAdmin[PaidCall]):
    """The ledger: every attempt to call a platform."""

    list_display = ["made_at", "platform", "purpose", "state", "owner", "cost", "reserved", "diagnosis_key"]
    list_filter = ["state", "purpose", "platform", "made_at"]
    search_fields = ["=owner__username"]
    search_help_text = "诊断编号或账号"
    list_select_related = ["platform", "owner"]
    raw_id_fields = ["diagnosis", "answer", "schedule", "owner"]
    list_per_page = 50
    show_full_result_count = False

    @admin.display(description="诊断", ordering="diagnosis")
    def diagnosis_key(self, call: PaidCall) -> str:
        return str(call.diagnosis_id or "")


@admin.register(BudgetUse)
class BudgetUseAdmin(ReadOnlyAdmin[BudgetUse]):
    """What each platform, account and schedule has used of its budget, by month."""

    list_display = ["month", "scope", "key", "calls", "money", "refused_limit"]
    list_filter = ["scope", "month"]
    search_fields = ["=key"]


@admin.register(AccountBudget)
class AccountBudgetAdmin(AuditedAdmin[AccountBudget]):
    """Budgets of accounts that differ from the site's default."""

    list_display = ["owner", "monthly_budget"]
    search_fields = ["owner__username"]
    list_select_related = ["owner"]
    raw_id_fields = ["owner"]
