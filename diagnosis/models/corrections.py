"""Corrections of a report by users."""

from django.conf import settings
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q

from diagnosis.models.diagnoses import Answer, Diagnosis


class Correction(models.Model):
    """A confirmed or rejected mention, or an added alias (diagnosis/corrections/services.py).

    public_id: the id in the API, because the primary key would tell how many corrections the site has.
    """

    class Kind(models.TextChoices):
        """Kind of a correction."""

        CONFIRM = "confirm", "确认"
        REJECT = "reject", "否认"
        ALIAS = "alias", "添加别名"

    public_id = models.UUIDField("公开编号", db_default=RandomUUID(), unique=True, editable=False)
    diagnosis = models.ForeignKey(Diagnosis, models.CASCADE, related_name="corrections", verbose_name="诊断")
    kind = models.CharField("类型", max_length=8, choices=Kind.choices)
    brand = models.CharField("品牌", max_length=100)
    answer = models.ForeignKey(
        Answer, models.CASCADE, null=True, blank=True, related_name="corrections", verbose_name="回答"
    )
    start = models.PositiveIntegerField("起点", null=True, blank=True)
    end = models.PositiveIntegerField("终点", null=True, blank=True)
    alias = models.CharField("别名", max_length=100, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name="操作者"
    )
    created_at = models.DateTimeField("时间", auto_now_add=True)

    class Meta:
        verbose_name = verbose_name_plural = "更正"
        ordering = ["pk"]
        constraints = [
            # a new correction of the same mention replaces the old one
            models.UniqueConstraint(fields=["answer", "brand", "start", "end"], name="diagnosis_correction_once"),
            models.CheckConstraint(
                condition=Q(kind="alias", answer=None) & ~Q(alias="")
                | ~Q(kind="alias") & Q(answer__isnull=False, start__isnull=False, end__gt=models.F("start")),
                name="diagnosis_correction_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} {self.get_kind_display()}"
