"""What an answer rests on: the pages that the platform names, its search queries, and its raw reply."""

from django.db import models
from django.utils import timezone

from diagnosis.choices import AnswerState, SiteKind, SourceOrigin, Ternary
from diagnosis.models.diagnoses import Answer
from diagnosis.sites import normalize_site


class SourceQuerySet(models.QuerySet["Source"]):
    """Selections of sources."""

    def counted(self) -> "SourceQuerySet":
        """Sources of the answers that count in rates: valid, complete, with a search."""
        return self.filter(
            answer__state=AnswerState.VALID, answer__is_truncated=False, answer__search_happened=Ternary.YES
        )


class Source(models.Model):
    """A page that the reply to an answer names, in the platform's own order with duplicates.

    `page` is equal for all addresses of one page: compare and count by it, once per answer. A search result that is
    not cited was only shown to the model.
    """

    answer = models.ForeignKey(Answer, models.CASCADE, related_name="sources", verbose_name="回答")
    position = models.PositiveSmallIntegerField("顺序", help_text="平台给出的顺序，从 0 起，重复的也算")
    label = models.CharField("平台编号", max_length=64, blank=True)
    url_raw = models.TextField("原始地址", blank=True)
    url = models.TextField("地址", blank=True, help_text="跳转后、去掉跟踪参数；不能打开的为空")
    page = models.TextField("网页", blank=True, help_text="同一网页的各种地址相同")
    host = models.CharField("网站", max_length=255, blank=True)
    title = models.CharField("标题", max_length=300, blank=True)
    site = models.CharField("站点名称", max_length=64, blank=True)
    published = models.CharField("发布时间", max_length=64, blank=True, help_text="平台给出的写法")
    snippet = models.TextField("摘要", blank=True)
    origin = models.CharField("出处", max_length=16, choices=SourceOrigin.choices)
    cited = models.CharField("被引用", max_length=8, choices=Ternary.choices)
    spans = models.JSONField("引用处", default=list, help_text="回答中引用它的 [起, 止)，按 Unicode 字符")

    objects = SourceQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "来源"
        ordering = ["answer", "position"]
        constraints = [models.UniqueConstraint(fields=["answer", "position"], name="diagnosis_source_position")]

    def __str__(self) -> str:
        return self.title or self.url or self.url_raw


class SiteClass(models.Model):
    """The kind of a site, for all diagnoses. Subdomains follow their parent; other hosts stay unclassified."""

    KINDS = [(kind.value, kind.label) for kind in SiteKind if kind not in (SiteKind.OWN, SiteKind.COMPETITOR)]

    host = models.CharField("域名", max_length=255, unique=True, help_text="小写，不带 www.；子域名也算，除非另有一行")
    kind = models.CharField("类别", max_length=16, choices=KINDS)
    name = models.CharField("名称", max_length=64, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "网站类别"
        ordering = ["host"]

    def __str__(self) -> str:
        return self.name or self.host

    def clean(self) -> None:
        """Store the host as sources have it; an address is reduced to its host."""
        self.host = normalize_site(self.host)


class SearchQuery(models.Model):
    """A query that the platform searched for while it answered. Answer.tells_queries: whether there can be any."""

    answer = models.ForeignKey(Answer, models.CASCADE, related_name="search_queries", verbose_name="回答")
    position = models.PositiveSmallIntegerField("顺序")
    text = models.CharField("搜索词", max_length=300)

    class Meta:
        verbose_name = verbose_name_plural = "搜索词"
        ordering = ["answer", "position"]
        constraints = [models.UniqueConstraint(fields=["answer", "position"], name="diagnosis_searchquery_position")]

    def __str__(self) -> str:
        return self.text


class RawReply(models.Model):
    """The bodies that a platform sent for an answer, without the key: compressed JSON, a list with one item a step."""

    answer = models.OneToOneField(
        Answer, models.CASCADE, primary_key=True, related_name="raw_reply", verbose_name="回答"
    )
    content = models.BinaryField("内容", help_text="JSON，zlib 压缩")
    size = models.PositiveIntegerField("字节", help_text="压缩前")
    is_cut = models.BooleanField("过长未存", default=False)
    created_at = models.DateTimeField("时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "原始回复"
        ordering = ["-created_at"]
        # prune_expired_rows
        indexes = [models.Index(fields=["created_at"], name="diagnosis_rawreply_created")]

    def __str__(self) -> str:
        return str(self.answer_id)


class PartialReply(models.Model):
    """The responses to the paid steps of a pending answer, without the key: another run continues after them.

    Compressed JSON; the row is deleted when the answer is stored.
    """

    answer = models.OneToOneField(
        Answer, models.CASCADE, primary_key=True, related_name="partial_reply", verbose_name="回答"
    )
    content = models.BinaryField("内容", help_text="JSON，zlib 压缩")
    created_at = models.DateTimeField("时间", default=timezone.now)

    class Meta:
        verbose_name = verbose_name_plural = "未完成的回复"

    def __str__(self) -> str:
        return str(self.answer_id)
